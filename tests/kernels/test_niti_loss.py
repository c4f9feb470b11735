"""NITI's integer cross entropy against plain Python integers, and against the softmax that it stands for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxpsim.autodiff import Engine, Tensor, ops
from fxpsim.kernels.niti_loss import niti_gradient, shifted_codes
from fxpsim.numerics import RandomBits, Rounding
from fxpsim.units import FixedUnit, FloatUnit


def oracle(codes, exponent, label, words):
    """The rule for one row, in plain integers."""
    if exponent > -7:
        s = [a * 47274 >> 15 for a in codes]
        s = [x << exponent if exponent >= 0 else x >> -exponent for x in s]
        weights = [2 ** max(x - max(s) + 10, 0) - 1 for x in s]
    else:
        if exponent < -20:
            codes, exponent = [a >> (-20 - exponent) for a in codes], -20
        weights = [2 ** (1 - 2 * exponent) + a * 2 ** (1 - exponent) + a * a for a in codes]
    shares = [2048 * w // sum(weights) for w in weights]
    shares[label] -= sum(shares)
    out = []
    for share, word in zip(shares, words, strict=True):
        whole, rest = divmod(abs(share), 16)
        whole += rest > word >> 28
        out.append(min(whole, 127) * (1 if share >= 0 else -1))
    return out


@given(
    st.lists(st.integers(-127, 127), min_size=2, max_size=12),
    st.integers(-40, 12),
    st.integers(0, 10**6),
    st.integers(0, 2**20),
)
def test_the_gradient_is_that_of_plain_integers(codes, exponent, label, seed):
    words = RandomBits(seed=seed).words(len(codes))
    found = niti_gradient(np.array([codes]), exponent, np.array([label % len(codes)]), words[None])
    assert found[0].tolist() == oracle(codes, exponent, label % len(codes), words.tolist())


def test_all_pairs_of_logits_of_8_bits():
    pairs = np.stack(np.meshgrid(np.arange(-127, 128), np.arange(-127, 128)), axis=-1).reshape(-1, 2)
    words = RandomBits(seed=3).words(pairs.size).reshape(pairs.shape)
    for exponent in (-9, -7, -6, -3, 0):
        found = niti_gradient(pairs, exponent, np.zeros(len(pairs), np.int64), words)
        some = range(0, len(pairs), 17)
        wanted = [oracle(pairs[i].tolist(), exponent, 0, words[i].tolist()) for i in some]
        assert found[::17].tolist() == wanted


@pytest.mark.parametrize(("exponent", "largest", "mean"), [(-9, 0.01, 0.005), (-7, 0.12, 0.03), (-6, 0.35, 0.06)])
def test_how_far_it_lies_from_the_softmax(exponent, largest, mean):
    """Small logits by the series are near; just above, whole octaves are coarse: a property of the method."""
    codes = RandomBits(seed=5).words(4000).astype(np.int64).reshape(-1, 10) % 255 - 127
    labels = np.zeros(len(codes), np.int64)
    draws = [niti_gradient(codes, exponent, labels, RandomBits(seed=s).words(4000).reshape(-1, 10)) for s in range(64)]
    shares = np.exp(np.ldexp(codes.astype(float), exponent))
    shares /= shares.sum(axis=1, keepdims=True)
    shares[:, 0] -= 1
    errors = np.abs(np.mean(draws, axis=0) / 128 - shares)
    assert errors.max() < largest
    assert errors.mean() < mean


def test_dropping_bits_is_unbiased_but_for_the_clipped_label():
    codes = np.array([[3, -50, 20, 7]])
    draws = [
        niti_gradient(codes, -8, np.array([1]), RandomBits(seed=s).words(4)[None]).astype(float)[0] for s in range(4000)
    ]
    full = niti_gradient(codes, -8, np.array([1]), np.full((1, 4), 2**32 - 1, np.uint32))  # never up
    spread = np.std(draws, axis=0) / np.sqrt(4000)
    weights = 2.0 ** (1 + 16) + codes * 2.0**9 + codes * codes
    exact = np.floor(2048 * weights / weights.sum())
    exact[0, 1] -= exact.sum()
    assert np.all(np.abs(np.mean(draws, axis=0) - exact[0] / 16) < 4 * spread + 1e-9)
    assert np.all(np.abs(full) <= np.abs(exact[0] / 16))


@pytest.mark.parametrize("unit", [FixedUnit(16, Rounding.HALF_EVEN), FloatUnit()], ids=["fixed", "float"])
def test_both_vector_units_compute_the_same_integers(unit):
    engine = Engine(None, unit)
    codes = RandomBits(seed=9).words(60).astype(np.int64).reshape(6, 10) % 4001 - 2000
    labels = np.arange(6)
    if unit.arithmetic == "fixed":
        value = unit.load(codes.astype(np.int32), 8)
    else:
        value = unit.load(np.ldexp(codes.astype(np.float32), -8), None)
    loss = ops.niti_cross_entropy(Tensor(engine, value, requires_grad=True), labels, RandomBits(seed=1))
    eight, exponent = shifted_codes(codes, 8)
    wanted = niti_gradient(eight, exponent, labels, RandomBits(seed=1).words(60).reshape(6, 10))
    assert loss.grad.read() == pytest.approx(wanted / 128 / 6, abs=2**-14)
    assert loss.samples == 6
    assert float(loss.total) > 0


def test_squares_of_one_hot_targets():
    engine = Engine(None, FloatUnit())
    x = np.array([[0.5, 0.25], [1.0, -1.0]], np.float32)
    loss = ops.one_hot_squares(Tensor(engine, engine.vector.load(x, None), requires_grad=True), np.array([0, 1]))
    wanted = x - np.eye(2)
    assert loss.grad.read() == pytest.approx(2 * wanted / 4)
    assert float(loss.total) == pytest.approx((wanted**2).sum() / 2)
    assert (loss.samples, loss.correct) == (2, 1)
