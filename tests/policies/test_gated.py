"""FracTrain's gates: their gradient by its definition, what they cost, runs that threads and stops do not change."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fxpsim.autodiff import Engine, Tensor, ops
from fxpsim.data import load
from fxpsim.errors import UserError
from fxpsim.kernels.threads import set_threads, threads
from fxpsim.policies import GatedBits, Moment, Statistics
from fxpsim.train import RunDirectory, Session, Trainer, load_recipe, make_progress, resume
from fxpsim.units import FloatUnit

RECIPE = "lenet5-digits-fractrain-dfq"


def session(*overrides):
    return Session(load_recipe(RECIPE, overrides=overrides), load("digits"), steps=90)


def batch(start=0, size=32):
    train = load("digits").train
    return train.inputs[start : start + size], train.targets[start : start + size]


def test_shares_get_inner_products_and_the_penalty():
    """For y = sum_k (h_k - stop(p_k) + p_k) y_k: dL/dy passes, dL/dp_ik is <dL/dy_i, y_ik> plus the penalty."""
    rng = np.random.default_rng(0)
    engine = Engine(None, FloatUnit())
    y, first, second, grad = (rng.standard_normal((4, 2, 3, 5)).astype(np.float32) for _ in range(4))
    to_y = Tensor(engine, engine.vector.load(y, None), requires_grad=True)
    shares = Tensor(engine, engine.vector.load(np.full((4, 3), 1 / 3, np.float32), None), requires_grad=True)
    outputs = [engine.tensor(first).value, engine.tensor(second).value]
    penalty = [Fraction(1, 8), Fraction(0), Fraction(-1, 4)]
    out = ops.chosen(to_y, shares, outputs=[outputs[0], outputs[1], outputs[1]], penalty=lambda: penalty)
    assert np.array_equal(out.read(), y)
    record = out.record
    passed, slopes = record.op.gradient(engine.tensor(grad), record.inputs, out, record.saved, **record.attributes)
    assert np.array_equal(passed.read(), grad)
    wide = grad.astype(np.float64)
    inner = [(wide * found).sum(axis=(1, 2, 3)) for found in (first, second, second)]
    wanted = np.stack(inner, axis=1) + np.array([float(p) for p in penalty])
    assert slopes.read() == pytest.approx(wanted, rel=1e-5)


def test_costs_are_those_of_the_published_candidates():
    """Bits 3, 4, 4, 6, 6 and 6, 6, 8, 8, 12 with 4-bit weights: FW, EB and GC in units of 32 x 32 bits."""
    forward, backward, weight = np.array([3, 4, 4, 6, 6]), np.array([6, 6, 8, 8, 12]), 4
    published = forward / 32 * weight / 32 + backward / 32 * weight / 32 + forward * backward / 32 / 32
    assert np.array([float(c) for c in GatedBits().costs]) == pytest.approx(published)
    counts = [[8, 0, 24, 0, 0], [0, 0, 0, 0, 32]]
    percent = 100 * (8 * published[0] + 24 * published[2] + 32 * published[4]) / (3 * 64)
    assert float(GatedBits().percent(counts)) == pytest.approx(percent)


def test_the_target_rises_at_turning_points_three_times_at_most():
    policy = GatedBits(target=1.5, target_step=0.5, window=2)
    state = policy.init(["conv", "gates.choice"], {"weight": 4})
    goals = []
    for step in range(10):
        seen = {"step": step, "steps_per_epoch": 1, "choices": {"one": [32, 0, 0, 0, 0]}}
        state = policy.update(state, Statistics(moment=Moment.LOSS, loss=Fraction(1), **seen))
        goals.append(float(policy.goal(state)))
    assert goals == [1.5, 2.0, 2.0, 2.5, 2.5, 3.0, 3.0, 3.0, 3.0, 3.0]
    # a batch of the cheapest candidate has cp 1.76: to be pushed down at first, up from the second target on
    assert policy.penalty({"stage": 0}, [[32, 0, 0, 0, 0]])[0] > 0 > policy.penalty({"stage": 1}, [[32, 0, 0, 0, 0]])[0]


@pytest.mark.parametrize(("target", "falls"), [(1.0, True), (6.0, False)])
def test_the_penalty_moves_what_is_chosen(target, falls):
    """With a heavy penalty the gates go to the cheapest candidates (1.76), or to the dearest (4.69)."""
    run = session(f"method.policy.target={target}", "method.policy.beta=0.05", 'schedule={name="constant"}')
    percent = []
    for step in range(24):
        run.step(step, *batch(32 * step))
        percent.append(run.precision.policy.percent(run.precision.gates.counts.values()))
    assert percent[-1] < 2 if falls else percent[-1] > 4


def test_samples_of_a_batch_have_word_lengths_of_their_own():
    run = session("method.policy.beta=0.0")
    run.step(0, *batch())
    counts = run.precision.gates.counts
    assert list(counts) == ["blocks.block1", "blocks.block2", "blocks.block3"]
    assert all(sum(row) == 32 for row in counts.values())
    rows = {(row["layer"], row["stream"]): row for row in run.precision.history.rows()}
    histogram = rows["blocks.block2.fc1", "activation"]["bits_histogram"]
    shares = dict(part.split(":") for part in histogram.split(";"))
    three, four, five, six, seven = (n / 32 for n in counts["blocks.block2"])
    wanted = {"3": three, "4": four + five, "6": six + seven}
    assert {bits: float(share) for bits, share in shares.items()} == {b: s for b, s in wanted.items() if s}
    assert rows["blocks.gates.choice", "weight"]["word_bits"] == 32
    # products of operands with a word length per sample are integer products
    assert not run.engine.mac.inexact


def test_evaluation_changes_nothing():
    run = session()
    run.step(0, *batch())
    digest = run.digest()
    run.evaluate(load("digits").test)
    assert run.digest() == digest


def test_a_network_with_gates_trains_under_any_method():
    run = session("method=int8")
    before = {p.path: p.master.weights.copy() for p in run.parameters}
    run.step(0, *batch())
    gates = [p for p in run.parameters if ".gates." in p.path and p.role == "bias"]
    assert gates
    assert all(np.array_equal(p.master.weights, before[p.path]) for p in gates)
    (weight,) = [p for p in run.parameters if p.path == "blocks.block2.fc1.weight"]
    assert not np.array_equal(weight.master.weights, before[weight.path])


def test_threads_and_interruptions_change_nothing(tmp_path: Path):
    resolved = load_recipe(RECIPE, overrides=["epochs=1", "method=fractrain-full"])
    before = threads()
    try:
        set_threads(2)
        whole = Trainer(resolved, None, stop_after=8).run(make_progress("off"))
        set_threads(1)
        Trainer(resolved, RunDirectory.create(tmp_path / "run", resolved), stop_after=5).run(make_progress("off"))
        again = resume(tmp_path / "run")
        again.last = 8
        assert again.run(make_progress("off"))["digest"] == whole["digest"]
    finally:
        set_threads(before)


def test_mistakes():
    with pytest.raises(UserError, match="the network has no gates"):
        Session(load_recipe("lenet5-digits", overrides=["method=fractrain-dfq"]), load("digits"), steps=9)
    run = session("network_options.candidates=4")
    with pytest.raises(UserError, match="5 candidates, the network's gates 4"):
        run.step(0, *batch())
    with pytest.raises(UserError, match="as many word lengths"):
        GatedBits(forward=[3], backward=[3, 4])
    with pytest.raises(UserError, match="a positive target"):
        GatedBits(target=0.0)
