"""Every rounding and overflow mode pair, every word of up to eight bits, every source code, against the oracle."""

from fractions import Fraction

import numpy as np
import pytest

import fxpsim as fx
from fxpsim.numerics import Flavor, Overflow, Rounding, oracle

DROPPED = 3  # fractional bits that the source has more
ABOVE = 2  # and bits above the target's sign
RNG = np.random.default_rng(0)


def overflow_cases(fmt):
    for mode in Overflow:
        if mode is Overflow.RAISE or (mode is Overflow.WRAP_SIGN_MAGNITUDE and not fmt.signed):
            continue
        for bits in range(fmt.word_bits + 1) if mode.takes_bits else (0,):
            yield mode, bits


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("rounding", Rounding)
def test_all_short_words(rounding, signed):
    for word in range(1, 9):
        fmt = fx.FixedFormat(word_bits=word, frac_bits=2, signed=signed)
        wide = word + DROPPED + ABOVE
        codes = np.arange(-(1 << (wide - 1)), 1 << (wide - 1))
        source = fx.QTensor(codes, fx.FixedFormat(word_bits=wide, frac_bits=2 + DROPPED))
        random = fx.RandomBits(seed=word) if rounding.is_stochastic else None
        noise = random.words(codes.size).tolist() if random else [0] * codes.size
        exact = [Fraction(c, 1 << DROPPED) for c in codes.tolist()]
        rounded = [oracle.round_fraction(v, rounding, n) for v, n in zip(exact, noise, strict=True)]
        flushed = sum(r == 0 != v for r, v in zip(rounded, exact, strict=True))
        inexact = sum(r != v for r, v in zip(rounded, exact, strict=True))
        for mode, bits in overflow_cases(fmt):
            into = {r: oracle.bring_into_range(r, fmt, mode, overflow_bits=bits) for r in set(rounded)}
            want = [into[r] for r in rounded]
            least = -fmt.max_code if mode is Overflow.SATURATE_SYMMETRIC and signed else fmt.min_code
            outside = sum(not least <= r <= fmt.max_code for r in rounded)
            for x in (source, source.value):
                q = fx.cast(x, fmt, rounding, mode, overflow_bits=bits, random=random)
                assert q.codes.tolist() == want, (fmt, mode, bits)
                assert q.counts.saturated + q.counts.wrapped == outside
                assert (q.counts.flushed, q.counts.inexact) == (flushed, inexact)


@pytest.mark.parametrize("flavor", [Flavor.AP, Flavor.AC])
@pytest.mark.parametrize("rounding", [Rounding.FLOOR, Rounding.HALF_UP, Rounding.HALF_EVEN])
def test_flavors(rounding, flavor):
    for word in range(1, 6):
        for signed in (True, False):
            fmt = fx.FixedFormat(word_bits=word, frac_bits=0, signed=signed)
            values = np.arange(-(1 << (word + 4)), 1 << (word + 4)) / 8
            for mode, bits in overflow_cases(fmt):
                want = [oracle.cast(v, fmt, rounding, mode, overflow_bits=bits, flavor=flavor) for v in values.tolist()]
                q = fx.cast(values, fmt, rounding, mode, overflow_bits=bits, flavor=flavor)
                assert q.codes.tolist() == want, (fmt, mode, bits)


@pytest.mark.parametrize(
    ("rounding", "dtype"),
    [*((mode, np.float64) for mode in Rounding), (Rounding.HALF_UP, np.float32), (Rounding.STOCHASTIC, np.float32)],
)
def test_large_arrays_have_kernels_of_their_own(rounding, dtype):
    # above the size from which a kernel is compiled for each type; the last group is not full
    x = (RNG.integers(-5000, 5000, 20_001) / 16).astype(dtype)
    random = fx.RandomBits(seed=1) if rounding.is_stochastic else None
    for fmt in (fx.FixedFormat(word_bits=8, frac_bits=2), fx.FixedFormat(word_bits=8, frac_bits=2, signed=False)):
        for overflow in ("saturate", "wrap"):
            whole = fx.cast(x, fmt, rounding, overflow, random=random).codes
            words = random.words(x.size) if random else None
            parts = []
            for begin in range(0, x.size, 10_000):
                part = x[begin : begin + 10_000]
                source = Given(words[begin : begin + part.size]) if words is not None else None
                parts.append(fx.cast(part, fmt, rounding, overflow, random=source).codes)
            np.testing.assert_array_equal(whole, np.concatenate(parts))
            codes = fx.cast(fx.QTensor((x * 16).astype(int), "s17f4"), fmt, rounding, overflow, random=random).codes
            np.testing.assert_array_equal(whole, codes)


class Given:
    """A source of given words."""

    mask = 0xFFFFFFFF

    def __init__(self, words):
        self._words = words

    def words(self, count, *, start=0):
        return self._words[start : start + count]
