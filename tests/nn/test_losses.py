"""Losses against their mathematics in binary64, in both vector units."""

import numpy as np
import pytest

from fxpsim import nn
from fxpsim.autodiff import Engine, Tensor
from fxpsim.nn.boxes import OFFSET_FRAC_BITS, hard_negatives, match, offsets_to
from fxpsim.units import FixedUnit, FloatUnit

FRAC_BITS = 10


def engine(kind: str) -> Engine:
    return Engine(None, FloatUnit() if kind == "float32" else FixedUnit(16))


def tensor(of: Engine, codes: np.ndarray) -> Tensor:
    value = of.vector.load(codes.astype(np.int16), FRAC_BITS)
    return Tensor(of, value, requires_grad=True)


def cross_entropy(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shares = np.exp(x - x.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    rows = np.arange(len(x))
    loss = -np.log(shares[rows, labels])
    shares[rows, labels] -= 1
    return loss, shares


@pytest.fixture(params=["float32", "fixed"])
def where(request) -> Engine:
    return engine(request.param)


def test_masked_rows_count_for_nothing(where):
    codes = np.random.default_rng(0).integers(-3000, 3000, (2, 5, 4))
    labels = np.arange(10).reshape(2, 5) % 4
    kept = labels != 0
    logits = tensor(where, codes)
    loss = nn.masked_cross_entropy(logits, labels, kept)
    expected, grad = cross_entropy(np.ldexp(codes[kept], -FRAC_BITS), labels[kept])
    assert float(loss.total) == pytest.approx(expected.sum(), abs=2e-3)
    assert loss.samples == kept.sum()
    found = loss.backward()[id(logits)].read()
    np.testing.assert_allclose(found[kept], grad / kept.sum(), atol=2e-4)
    assert not found[~kept].any()


def test_squared_error_counts_what_lies_within_a_quarter(where):
    codes = np.array([[1024], [1024], [-2048]])
    targets = np.array([[5 << 11], [21 << 8], [-2 << 12]])  # 2.5, 1.3125 and -2 with 12 fractional bits
    output = tensor(where, codes)
    loss = nn.squared_error(output, targets.astype(np.int32), 12)
    assert float(loss.total) == pytest.approx(1.5**2 + 0.3125**2)
    assert loss.correct == 1
    near = nn.squared_error(output, np.array([[5 << 10], [3 << 10], [-2 << 12]], np.int32), 12)
    assert near.correct == 3, "a quarter away is near"
    gradient = loss.backward()[id(output)].read()
    np.testing.assert_allclose(gradient, 2 / 3 * np.array([[-1.5], [-0.3125], [0]]), rtol=1e-3)


ANCHORS = nn.Anchors.grid((16, 16), [8], [2, 4])
OBJECTS = np.array([[[0, 0, 7, 8, 15], [1, 9, 9, 15, 15]], [[1, 0, 0, 16, 16], [-1, 0, 0, 0, 0]]], np.int32)


def test_multibox_loss(where):
    codes = np.random.default_rng(1).integers(-2000, 2000, (2, 8, 7))
    x = np.ldexp(codes, -FRAC_BITS)
    output = tensor(where, codes)
    loss = nn.multibox_loss(output, OBJECTS, ANCHORS)
    matched = match(ANCHORS, OBJECTS)
    positive = matched >= 0
    labels = np.where(positive, 1 + np.take_along_axis(OBJECTS[:, :, 0], np.maximum(matched, 0), axis=1), 0)
    kept = positive | hard_negatives(codes[..., :3], positive)
    entropy, shares = cross_entropy(x[kept][:, :3], labels[kept])
    away = x[positive][:, 3:] - np.ldexp(offsets_to(ANCHORS, OBJECTS, matched)[positive], -OFFSET_FRAC_BITS)
    assert float(loss.total) / loss.samples == pytest.approx(entropy.mean() + (away**2).mean(), rel=2e-3)
    grad = np.zeros_like(x)
    grad[kept, :3] = shares / kept.sum()
    grad[positive, 3:] = 2 * away / away.size
    np.testing.assert_allclose(loss.backward()[id(output)].read(), grad, atol=2e-3 * np.abs(grad).max())
    assert loss.samples == kept.sum()


def test_multibox_loss_without_any_object(where):
    none = np.array([[[-1, 0, 0, 0, 0]]], np.int32)
    output = tensor(where, np.zeros((1, 8, 7), np.int64))
    loss = nn.multibox_loss(output, none, ANCHORS)
    assert (loss.samples, loss.correct) == (1, 1)
    assert float(loss.total) == pytest.approx(np.log(3), abs=1e-3)
    assert not loss.backward()[id(output)].read()[..., 3:].any()
