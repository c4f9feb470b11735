"""The variance laboratory on the gradients of a real network."""

import numpy as np
import pytest

from fxpsim.data import load
from fxpsim.report.variance import variance_figure
from fxpsim.train import Session, load_recipe
from fxpsim.train.variance import errors_of, gradient_variance, quantizer_variance


@pytest.fixture(scope="module")
def trained():
    """A network after some steps, and two batches."""
    data = load("digits")
    recipe = load_recipe("lenet5-digits-statquant-psq", overrides=["method.streams.error.word_bits=4"])
    session = Session(recipe, data, steps=40)
    inputs, targets = data.train.inputs, data.train.targets
    for step in range(8):
        session.step(step, inputs[32 * step : 32 * step + 32], targets[32 * step : 32 * step + 32])
    return session, [(inputs[i : i + 32], targets[i : i + 32]) for i in (300, 400)]


@pytest.fixture(scope="module")
def rows(trained):
    session, batches = trained
    return quantizer_variance(errors_of(session, batches[0]), bits=[8, 6, 5, 4], draws=6)


def by(rows, method, word_bits):
    return {row["layer"]: row for row in rows if (row["method"], row["word_bits"]) == (method, word_bits)}


def test_every_layer_has_its_error(trained):
    session, batches = trained
    digest = session.digest()
    errors = errors_of(session, batches[0])
    assert set(errors) == {"conv1", "conv2", "fc1", "fc2", "fc3"}
    assert errors["fc3"].shape == (32, 10)
    # softmax minus one hot: every sample sums to nothing
    assert np.abs(errors["fc3"].sum(axis=1)).max() < 1e-7
    assert session.digest() == digest


def test_measured_variances_lie_below_the_bound_and_near_the_prediction(rows):
    assert all(row["variance"] <= row["bound"] for row in rows)
    for method in ("PSQ", "BHQ"):
        ratios = [
            by(rows, method, 6)[layer]["variance"] / by(rows, method, 6)[layer]["predicted"] for layer in ("fc1", "fc2")
        ]
        assert np.allclose(ratios, 1, atol=0.3)


def test_every_bit_less_is_four_times_the_variance(rows):
    for method in ("PSQ", "BHQ"):
        eight, six = (sum(row["variance"] for row in by(rows, method, b).values()) for b in (8, 6))
        assert six / eight == pytest.approx((255 / 63) ** 2, rel=0.3)


def test_a_range_for_every_sample_beats_one_and_mixing_samples_beats_both(rows):
    ptq, psq, bhq = (by(rows, name, 4) for name in ("PTQ, zero not aligned", "PSQ", "BHQ"))
    total = [sum(found[layer]["variance"] for layer in ("fc1", "fc2")) for found in (ptq, psq, bhq)]
    assert total[0] > 1.5 * total[1]
    assert total[1] > total[2]


def test_a_code_for_zero_costs_nothing_where_gradients_are_zero(rows):
    """Most errors in front of a ReLU are zero: with zero a code they have no variance, whatever the range."""
    aligned, shifted = by(rows, "PTQ", 4)["conv2"], by(rows, "PTQ, zero not aligned", 4)["conv2"]
    assert aligned["variance"] < shifted["variance"] / 2


def test_gradients_vary_more_with_quantized_errors(trained):
    session, batches = trained
    digest = session.digest()
    found = {row["layer"]: row for row in gradient_variance(session, batches, draws=3)}
    assert session.digest() == digest
    assert set(found) == {"conv1", "conv2", "fc1", "fc2", "fc3"}
    for row in found.values():
        assert row["overall_variance"] == pytest.approx(row["sample_variance"] + row["quantization_variance"])
        assert row["sample_variance"] > 0
    assert sum(row["quantization_variance"] for row in found.values()) > 0


def test_a_figure(rows, tmp_path):
    target = variance_figure(rows, tmp_path / "variance.svg", word_bits=4)
    assert "BHQ" in target.read_text("utf-8")
