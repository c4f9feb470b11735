"""DYNASTY's controller against its definition in floats, and in a run."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim.data import load
from fxpsim.errors import UserError
from fxpsim.policies import Dynasty, bit_map
from fxpsim.policies.sensitivity import FRAC_BITS, as_matrices, gradient_norm, log2
from fxpsim.train import Session, load_recipe


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def test_sensitivity_is_the_definition_up_to_its_grid():
    x, g = noise(10, 7, 6), noise(10, 7, 6, seed=1)
    found = gradient_norm(x, g, 4, 3.0)
    assert found.shape == (3, 2, 6)
    for r in range(3):
        for c in range(2):
            block = slice(4 * r, 4 * r + 4), slice(4 * c, 4 * c + 4), 2
            wanted = np.log2(np.abs(x[block]).max() * np.linalg.norm(g[block]) / 3.0 + 1e-12)
            assert abs(found[r, c, 2] / 2**FRAC_BITS - wanted) < 2.0**-FRAC_BITS


def test_logarithm_rounds_down_to_the_grid():
    x = np.abs(noise(1000)) * 10.0 ** np.linspace(-11, 11, 1000)
    assert (np.abs(log2(x) / 2**FRAC_BITS - np.log2(x) + 2.0 ** -(FRAC_BITS + 1)) < 2.0**-FRAC_BITS).all()


def test_tiles_lie_over_samples_and_channels():
    x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    rows = as_matrices(x, (0, -1))
    assert rows[1, 2, 7] == x[1, 1, 3, 2]
    assert as_matrices(x, (-2, -1))[3, 4, 5] == x[1, 2, 3, 4]


@pytest.mark.parametrize("target", [1.6, 2, 3, 4])
def test_the_threshold_meets_the_target(target):
    s = {
        name: np.rint(noise(40, 9, 3, seed=i) * 3 * bit_map.UNIT).astype(np.int64) - 1000 * i
        for i, name in enumerate("ab")
    }
    weights = {"a": 5, "b": 2}
    at = bit_map.threshold(s, weights, Fraction(str(target)))
    means = [np.clip((array - at) / bit_map.UNIT, 0, 8).mean() for array in s.values()]
    assert abs((5 * means[0] + 2 * means[1]) / 7 - target) <= 0.05 + 1e-9


def test_a_target_out_of_reach_ends_the_search():
    s = {"a": np.zeros(4, np.int64)}
    assert abs(float(bit_map.mean_bits(s, {"a": 1}, bit_map.threshold(s, {"a": 1}, Fraction(2)))) - 2) < 0.06


def test_smoothed_bits_round_to_the_nearest_even_width():
    halves = np.array([0.9, 1.0, 1.1, 3.0, 5.0, 7.0, 7.9]) * bit_map.UNIT
    assert bit_map.used(halves).tolist() == [0, 0, 2, 4, 4, 8, 8]


@pytest.fixture(scope="module")
def trained():
    """Six steps with a period of two: maps of three updates."""
    recipe = load_recipe("lenet5-digits-dynasty", overrides=["method.policy.target=3", "batch=16"])
    data = load("digits")
    session = Session(recipe, data, steps=6)
    session.precision.steps_per_epoch = 2
    for step in range(6):
        session.step(step, data.train.inputs[:16], data.train.targets[:16])
    return session


def test_a_run_has_mixed_blocks_and_says_so(trained):
    rows = {(row["layer"], row["stream"]): row for row in trained.precision.history.rows()}
    assert trained.inexact == ""
    for stream in ("weight", "activation@weight_grad"):
        shares = dict(part.split(":") for part in rows["fc1", stream]["bits_histogram"].split(";"))
        assert set(shares) <= {"0", "2", "4", "6", "8"}
        assert len(shares) > 1
    assert "bits_histogram" in rows["fc1", "error"]
    assert rows["fc1", "activation"]["word_bits"] == 8


def test_the_maps_move_towards_the_target(trained):
    log = [line for line in trained.precision.take_decisions() if line["quantity"] == "mean bits"]
    assert {line["stream"] for line in log} == {"weight", "activation@weight_grad"}
    assert {line["layer"] for line in log if line["stream"] == "weight"} == {"conv1", "conv2", "fc1", "fc2", "fc3"}
    # the input of the first layer has no gradient
    assert "conv1" not in {line["layer"] for line in log if line["stream"] != "weight"}
    assert int(trained.precision.quantizer("conv1", "activation@weight_grad").bits) == 4


def test_the_state_survives_a_checkpoint(trained):
    saved, before = trained.precision.saved(), trained.digest()
    trained.precision.restore(saved)
    assert trained.digest() == before


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"adapts": ["weights"]}, "did you mean 'weight'"),
        ({"sensitivity": "norm"}, "unknown sensitivity"),
        ({"start": 5}, "a start of 0, 2, 4, 6 or 8"),
        ({"target": 9}, "a target up to 8 bits"),
    ],
)
def test_mistakes(options, text):
    with pytest.raises(UserError, match=text):
        Dynasty(**options)
