"""Parts of an all-integer step in float32: each trains, close to the integers, and the run says so."""

import numpy as np
import pytest

from fxpsim.data import load
from fxpsim.errors import UserError
from fxpsim.train import Session, Trainer, load_recipe, make_progress

RESNET = ["network=resnet_cifar", "network_options={depth=8, width=4}", "schedule.name=constant"]


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def session(digits, part: str | None) -> Session:
    parts = [] if part is None else [f"training.float32_parts=['{part}']"]
    return Session(load_recipe("lenet5-digits-integer", overrides=[*RESNET, *parts]), digits, steps=20)


def losses(one: Session, steps: int) -> list[float]:
    found = []
    for step in range(steps):
        part = slice(32 * step, 32 * step + 32)
        found.append(float(one.step(step, one.dataset.train.inputs[part], one.dataset.train.targets[part]).loss))
    return found


@pytest.fixture(scope="module")
def integers(digits) -> tuple[list[float], Session]:
    one = session(digits, None)
    return losses(one, 12), one


@pytest.mark.parametrize("part", ["normalization", "loss", "update", "error"])
def test_each_part_trains_like_the_integers(part, digits, integers):
    one = session(digits, part)
    found = losses(one, 12)
    expected, whole = integers
    assert found[0] == pytest.approx(expected[0], rel=0.01), "the same weights, the same batch"
    assert found != expected, "something was computed otherwise"
    assert np.mean(found[-4:]) == pytest.approx(np.mean(expected[-4:]), rel=0.15)
    assert whole.all_integer
    assert not one.all_integer
    assert 0 <= one.evaluate(one.dataset.test).accuracy <= 1
    kinds = {one.arrays()[name].dtype.kind for name in ("fc.weight", "bn.running_mean")}
    assert kinds == ({"f"} if part == "update" else {"i"})


def test_a_summary_says_whether_all_is_integer(digits):
    overrides = ["data.options={train_limit=32, test_limit=8}", "epochs=1", "network=mlp", "network_options.hidden=[4]"]
    for parts, expected in (([], True), (["training.float32_parts=['loss']"], False)):
        summary = Trainer(load_recipe("lenet5-digits-integer", overrides=[*overrides, *parts]), None).run(
            make_progress("off")
        )
        assert summary["all_integer"] is expected


GPT = ["network=gpt", "network_options={width=16, layers=1, heads=2, context=8}"]
LSTM = ["network=lstm_lm", "network_options={width=16, layers=1}", "optimizer.clip_norm=1.0"]


@pytest.mark.parametrize(
    ("options", "parts"),
    [(GPT, ["normalization"]), (GPT, ["error"]), (LSTM, ["normalization", "loss", "update", "error"])],
)
def test_networks_of_text(options, parts, tmp_path):
    (tmp_path / "text.txt").write_text("a small text that says the same again and again. " * 20)
    text = load("text", tmp_path / "text.txt", window=8)
    found = []
    for some in ([], parts):
        overrides = [*options, f"training.float32_parts={some}", "schedule.name=constant"]
        one = Session(load_recipe("lenet5-digits-integer", overrides=overrides), text, steps=4)
        found.append([one.step(i, text.train.inputs[:32], text.train.targets[:32]).loss for i in range(3)])
    assert found[0] != found[1]
    np.testing.assert_allclose(np.array(found[0], float), np.array(found[1], float), rtol=0.01)


NO_CAST = "method.streams.error={quantizer='none'}"


def gradients(recipe: str, digits, *overrides: str) -> dict[str, np.ndarray]:
    """Return the gradients of a first step, as the update unit gets them."""
    one = Session(load_recipe(recipe, overrides=[*RESNET, *overrides]), digits, steps=20)
    found = {}
    one._update = lambda values, index: found.update(values)
    one.step(0, digits.train.inputs[:32], digits.train.targets[:32])
    codes = {path: one.engine.vector.array(value).astype(np.float64) for path, value in found.items()}
    return {path: np.ldexp(array, -(found[path].frac_bits or 0)) for path, array in codes.items()}


def distance(some: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> float:
    """Return the mean over the tensors of the relative distance."""
    return float(np.mean([np.linalg.norm(some[p] - others[p]) / np.linalg.norm(others[p]) for p in others]))


def test_gradients_of_float_errors_are_those_of_a_float_unit(digits):
    """Behind a forward pass of 16-bit words they are close to those behind a forward pass in binary32."""
    wide = ["method.streams.weight.word_bits=16", "method.streams.activation.word_bits=16"]
    wide.append("accelerator.mac_array.accumulator.word_bits=48")
    of_floats = gradients("lenet5-digits", digits, *wide, NO_CAST)
    float_errors = ["training.float32_parts=['error']", NO_CAST]
    apart = [
        distance(gradients("lenet5-digits-integer", digits, *wide, *some), of_floats) for some in (float_errors, [])
    ]
    assert apart[0] < 0.01
    assert apart[0] < apart[1] / 4


def test_a_run_with_float_errors_says_so(digits):
    overrides = [*RESNET, NO_CAST, "training.float32_parts=['error']"]
    one = Session(load_recipe("lenet5-digits-integer", overrides=overrides), digits, steps=2)
    losses(one, 2)
    assert not one.all_integer
    assert "error stream is float32" in one.inexact
    with pytest.raises(UserError, match="vector unit is fixed point"):
        Session(load_recipe("lenet5-digits-integer", overrides=overrides[:-1]), digits, steps=2)


def test_where_all_is_float_nothing_is_left_to_switch(digits):
    recipe = load_recipe("lenet5-digits", overrides=["training.float32_parts=['loss']"])
    with pytest.raises(UserError, match="in float32 already"):
        Session(recipe, digits, steps=1)
    with pytest.raises(UserError, match="float32_parts"):
        load_recipe("lenet5-digits", overrides=["training.float32_parts=['bias']"])
