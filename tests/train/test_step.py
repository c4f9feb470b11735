"""What a step is made of: micro-batches, clipping by the norm of all gradients, a schedule that listens."""

import gc

import numpy as np
import pytest

from fxpsim.data import load
from fxpsim.errors import UserError
from fxpsim.kernels import threads
from fxpsim.train import RunDirectory, Session, Trainer, load_recipe, make_progress, resume

MLP = ["network=mlp", "network_options.hidden=[16]", "schedule.name=constant"]
FLOAT = [*MLP, "method=float32"]
INTEGER = [*MLP, "accelerator=int8_all_integer"]


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def stepped(digits, overrides: list[str], steps: int = 1) -> Session:
    session = Session(load_recipe("lenet5-digits", overrides=overrides), digits, steps=10)
    for index in range(steps):
        part = slice(32 * index, 32 * index + 32)
        session.result = session.step(index, digits.train.inputs[part], digits.train.targets[part])
    return session


def change(session: Session, digits) -> dict[str, np.ndarray]:
    """Return how far the steps have moved each parameter."""
    overrides = FLOAT if session.recipe.method == "float32" else INTEGER
    start = stepped(digits, overrides, 0)
    return {
        p.path: p.master.read() - q.master.read() for p, q in zip(session.parameters, start.parameters, strict=True)
    }


@pytest.mark.parametrize(("overrides", "tolerance"), [(FLOAT, 1e-5), (INTEGER, 0.05)])
def test_micro_batches_make_the_same_step(digits, overrides, tolerance):
    whole, parts = stepped(digits, overrides), stepped(digits, [*overrides, "training.accumulate=4"])
    assert parts.result.samples == whole.result.samples == 32
    assert parts.result.loss == pytest.approx(whole.result.loss, rel=1e-2)
    first, second = change(whole, digits), change(parts, digits)
    for name, moved in first.items():
        np.testing.assert_allclose(second[name], moved, atol=tolerance * np.abs(moved).max())
    products = [sum(g["m"] * g["k"] * g["n"] for g in one.counter.gemms) for one in (whole, parts)]
    assert products[0] == products[1], "the workload of a step is that of all its micro-batches"


def test_three_micro_batches_have_a_mean(digits):
    # 1/3 is no power of two: the vector unit multiplies by a rounded constant
    whole = Session(load_recipe("lenet5-digits", overrides=INTEGER), digits, steps=10)
    parts = Session(load_recipe("lenet5-digits", overrides=[*INTEGER, "training.accumulate=3"]), digits, steps=10)
    for one in (whole, parts):
        one.step(0, digits.train.inputs[:30], digits.train.targets[:30])
    for name, moved in change(whole, digits).items():
        np.testing.assert_allclose(change(parts, digits)[name], moved, atol=0.05 * np.abs(moved).max())


def test_a_batch_must_be_cut_evenly(digits):
    with pytest.raises(UserError, match="equal micro-batches"):
        stepped(digits, [*FLOAT, "training.accumulate=5"])


@pytest.mark.parametrize(("overrides", "tolerance"), [(FLOAT, 1e-5), (INTEGER, 1e-3)])
def test_the_norm_of_all_gradients_is_clipped(digits, overrides, tolerance):
    plain = [*overrides, "optimizer={name='sgd', learning_rate=0.5}"]
    free = change(stepped(digits, plain), digits)
    length = np.sqrt(sum((moved**2).sum() for moved in free.values()))
    limit = length / 0.5 / 8
    clipped = change(stepped(digits, [*plain, f"optimizer.clip_norm={limit:.6f}"]), digits)
    assert np.sqrt(sum((moved**2).sum() for moved in clipped.values())) == pytest.approx(length / 8, rel=tolerance)
    for name, moved in free.items():
        # all tensors shrink by the same factor
        np.testing.assert_allclose(clipped[name], moved / 8, atol=tolerance * np.abs(moved).max() + 2**-23)
    far = change(stepped(digits, [*plain, "optimizer.clip_norm=1000"]), digits)
    assert all((far[name] == moved).all() for name, moved in free.items())


PLATEAU = "schedule={name='plateau', factor=0.5, patience=0, threshold=0.9}"


CYCLES = [[], ["method=float32"], ["accelerator=int8_all_integer"], ["method=statquant-psq"]]


@pytest.mark.parametrize("overrides", CYCLES)
def test_a_step_leaves_no_cycles(digits, overrides):
    """Memory comes back when the last reference to it goes, not when the collector finds the cycle it is in."""
    before = threads.threads()
    threads.set_threads(2)
    session = stepped(digits, overrides, 2)
    gc.collect()
    gc.disable()
    found = []
    try:
        for index in range(2, 6):  # what is compiled leaves some
            session.step(index, digits.train.inputs[:32], digits.train.targets[:32])
            found.append(gc.collect())
    finally:
        gc.enable()
        threads.set_threads(before)
    assert 0 in found


def trainer(folder, *, stop_after: int | None = None) -> Trainer:
    options = ["data.options={train_limit=64, test_limit=16}", "epochs=4", PLATEAU, "training.accumulate=2"]
    resolved = load_recipe("lenet5-digits", overrides=[*INTEGER, *options])
    return Trainer(resolved, RunDirectory.create(folder, resolved), stop_after=stop_after)


def test_a_plateau_lowers_the_rate_and_goes_on_after_a_stop(tmp_path):
    whole = trainer(tmp_path / "whole")
    summary = whole.run(make_progress("off"))
    # no epoch is better than the one before by nine tenths: the rate falls with every epoch but the first
    assert whole.session.schedule_state["falls"] == 3
    assert float(whole.session.schedule(0, 1)) == 0.125
    trainer(tmp_path / "cut", stop_after=5).run(make_progress("off"))
    again = resume(tmp_path / "cut")
    assert again.done == 5, "in the middle of the third epoch"
    again.last = again.steps
    assert again.run(make_progress("off"))["digest"] == summary["digest"]
