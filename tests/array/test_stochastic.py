"""Stochastic rounding: exact expectations for few bits, z-tests for many, documented bias."""

from fractions import Fraction

import numpy as np
import pytest

import fxpsim as fx
from fxpsim.numerics import LfsrBits


class Counter:
    """All random numbers of ``bits`` bits, each once."""

    def __init__(self, bits):
        self.bits, self.mask = bits, (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF

    def words(self, count, *, start=0):
        return ((np.arange(start, start + count) % (1 << self.bits)) << (32 - self.bits)).astype(np.uint32)


@pytest.mark.parametrize("bits", [1, 3, 6])
def test_expectation_over_all_random_numbers(bits):
    # dropping 6 bits with `bits` random ones: the mean is the value truncated to `bits` bits behind the last place
    for code in range(-150, 151, 7):
        q = fx.cast(fx.QTensor(np.full(1 << bits, code), "s16f6"), "s8f0", "stochastic", random=Counter(bits))
        mean = Fraction(int(q.codes.sum()), 1 << bits)
        truncated = Fraction(code * (1 << bits) // 64, 1 << bits)
        assert mean == truncated
        bias = truncated - Fraction(code, 64)
        assert -Fraction(1, 1 << bits) < bias <= 0
        assert bits < 6 or bias == 0


@pytest.mark.parametrize("fraction", [0.5, 0.25, 0.1, 0.999, 1e-3])
@pytest.mark.parametrize("magnitude", [0, 3, -4, 2**20, -(2**20), 2**40])
def test_z_test_of_the_mean_at_every_magnitude(fraction, magnitude):
    count = 40_000
    x = np.full(count, magnitude + fraction)
    share = float(x[0] - np.floor(x[0]))  # as the float holds it
    q = fx.cast(x, "s48f0", "stochastic", random=fx.RandomBits(seed=2).derive(str(fraction), magnitude))
    ups = int((q.codes == int(np.floor(x[0])) + 1).sum())
    assert ((q.codes == np.floor(x)) | (q.codes == np.floor(x) + 1)).all()
    assert abs(ups - count * share) < 5 * (count * share * (1 - share)) ** 0.5


def test_exact_values_never_move():
    x = np.concatenate([np.arange(-5000, 5000) * 1.0, [2.0**51 - 1, -(2.0**51)]])
    for rounding in ("stochastic", "stochastic_equal"):
        q = fx.cast(x, "s53f0", rounding, random=fx.RandomBits(seed=1))
        np.testing.assert_array_equal(q.value, x)
        assert q.counts.inexact == 0


def test_equal_probability_does_not_look_at_the_fraction():
    count = 40_000
    for fraction in (0.01, 0.99):
        q = fx.cast(np.full(count, fraction), "s8f0", "stochastic_equal", random=fx.RandomBits(seed=4))
        assert abs(int(q.codes.sum()) - count / 2) < 5 * count**0.5 / 2


def test_elements_do_not_depend_on_what_surrounds_them():
    x = np.random.default_rng(0).standard_normal(30_000)
    random = fx.RandomBits(seed=6)
    whole = fx.cast(x, "s8f4", "stochastic", random=random).codes
    np.testing.assert_array_equal(fx.cast(x[:777], "s8f4", "stochastic", random=random).codes, whole[:777])
    np.testing.assert_array_equal(
        fx.cast(x.reshape(30, 1000), "s8f4", "stochastic", random=random).codes.ravel(), whole
    )
    other = fx.cast(x, "s8f4", "stochastic", random=fx.RandomBits(seed=7)).codes
    assert (other != whole).any()


def test_float_and_code_sources_and_wide_words_take_the_same_bits():
    codes = np.random.default_rng(0).integers(-(2**15), 2**15, 3000)
    random = fx.RandomBits(seed=8, bits=7)
    source = fx.QTensor(codes, "s16f10")
    short = fx.cast(source, "s12f4", "stochastic", random=random).codes
    for x, target in ((source.value, "s12f4"), (source.value, "s64f4"), (fx.cast(source, "s64f40"), "s12f4")):
        np.testing.assert_array_equal(fx.cast(x, target, "stochastic", random=random).codes, short)


def test_a_shift_register_as_source():
    random = LfsrBits(bits=8, seed=1)
    x = np.full(255, 0.5)
    q = fx.cast(x, "s8f0", "stochastic", random=random)
    # over a full period every state but zero appears once: 128 of 255 carry, above one half as documented
    assert int(q.codes.sum()) == 128
    again = fx.cast(x, "s8f0", "stochastic", random=LfsrBits(bits=8, seed=1))
    np.testing.assert_array_equal(q.codes, again.codes)
