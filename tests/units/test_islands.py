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


@pytest.mark.parametrize("part", ["normalization", "loss", "update"])
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


def test_layer_normalization_in_float32(tmp_path):
    (tmp_path / "text.txt").write_text("a small text that says the same again and again. " * 20)
    options = ["network=gpt", "network_options={width=16, layers=1, heads=2, context=8}"]
    text = load("text", tmp_path / "text.txt", window=8)
    found = []
    for parts in ([], ["training.float32_parts=['normalization']"]):
        one = Session(load_recipe("lenet5-digits-integer", overrides=[*options, *parts]), text, steps=4)
        found.append([one.step(i, text.train.inputs[:32], text.train.targets[:32]).loss for i in range(3)])
    assert found[0] != found[1]
    np.testing.assert_allclose(found[0], found[1], rtol=0.01)


def test_where_all_is_float_nothing_is_left_to_switch(digits):
    recipe = load_recipe("lenet5-digits", overrides=["training.float32_parts=['loss']"])
    with pytest.raises(UserError, match="in float32 already"):
        Session(recipe, digits, steps=1)
    with pytest.raises(UserError, match="float32_parts"):
        load_recipe("lenet5-digits", overrides=["training.float32_parts=['bias']"])
