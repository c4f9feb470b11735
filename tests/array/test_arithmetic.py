"""Exact arithmetic: all operand pairs of short words, and long words against Python integers."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

import fxpsim as fx
from fxpsim.array import multiply
from fxpsim.array.arithmetic import as_operand
from fxpsim.numerics import Overflow, Rounding, oracle

SHORT = [
    fx.FixedFormat(word_bits=w, frac_bits=f, signed=s)
    for w, f in [(1, 0), (3, 1), (4, -2), (5, 3)]
    for s in (True, False)
]


def everything(fmt):
    return fx.QTensor(np.arange(fmt.min_code, fmt.max_code + 1), fmt)


def fractions(q):
    flat = [Fraction(c) * q.format.step for c in np.asarray(q.codes, dtype=object).ravel().tolist()]
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(q.shape)


@pytest.mark.parametrize(("a", "b"), list(product(SHORT, SHORT)), ids=str)
def test_all_pairs_of_short_words(a, b):
    x, y = everything(a).reshape(-1, 1), everything(b).reshape(1, -1)
    u, v = fractions(x), fractions(y)
    for got, want in [(x + y, u + v), (x - y, u - v), (x * y, u * v)]:
        assert (fractions(got) == want).all()
        assert got.format.contains(int(got.codes.min()))
        assert got.format.contains(int(got.codes.max()))
    for got, want in [
        (x == y, u == v),
        (x != y, u != v),
        (x < y, u < v),
        (x <= y, u <= v),
        (x > y, u > v),
        (x >= y, u >= v),
    ]:
        np.testing.assert_array_equal(got, want.astype(bool))


@pytest.mark.parametrize("a", SHORT, ids=str)
def test_unary_operations_and_moves_of_the_point(a):
    x = everything(a)
    u = fractions(x)
    for got, want in [(-x, -u), (abs(x), abs(u)), (x << 3, u * 8), (x >> 5, u / 32), (+x, u)]:
        assert (fractions(got) == want).all()
    assert fractions(x.sum()) == sum(u.tolist())
    grid = fx.QTensor(np.resize(x.codes, (3, 5)), a)
    assert (fractions(grid.sum(axis=1)) == fractions(grid).sum(axis=1)).all()
    assert (fractions(grid.sum(axis=0, keepdims=True)) == fractions(grid).sum(axis=0, keepdims=True)).all()


def test_no_result_format_is_longer_than_it_must_be():
    # the extreme results need the last bit of the growth rules (a sum of n needs it for n = 2**k + 1 onwards)
    u4, s4 = (fx.FixedFormat(word_bits=4, frac_bits=0, signed=s) for s in (False, True))
    assert str((everything(u4) + everything(u4)).format) == "u5f0"
    assert str((everything(s4) + everything(s4)).format) == "s5f0"
    assert str((everything(s4) * everything(s4)).format) == "s8f0"
    assert str((everything(u4) - everything(u4)).format) == "s5f0"


LONG = np.array([2**62, -(2**62), 2**63 - 1, -(2**63), 2**31, -3, 5, 12345678901234567], dtype=object)


def test_long_words_are_exact_or_refused():
    x = fx.QTensor(LONG // 4, "s62f0")
    assert (x + x).codes.tolist() == (LONG // 4 * 2).tolist()
    assert str((x - x).format) == "s63f0"
    full = fx.QTensor(LONG, "s64f0")
    for operation in (lambda: full + full, lambda: full * full, lambda: -full, full.sum, lambda: full - 1):
        with pytest.raises(fx.UserError, match="at most 64 bits"):
            operation()
    assert (abs(full).codes.tolist()) == np.abs(LONG).tolist()
    # comparison never grows a word
    shifted = fx.QTensor(LONG, "s64f60")
    assert (full > shifted).tolist() == [c > 0 for c in LONG]
    assert (full == fx.QTensor(np.array([2**62], dtype=object), "u64f0")).tolist() == (LONG == 2**62).tolist()


@pytest.mark.parametrize("rounding", Rounding)
def test_requantized_products_of_short_words(rounding):
    a, b = fx.FixedFormat(word_bits=5, frac_bits=3), fx.FixedFormat(word_bits=4, frac_bits=1, signed=False)
    x, y = everything(a).reshape(-1, 1), everything(b).reshape(1, -1)
    random = fx.RandomBits(seed=3) if rounding.is_stochastic else None
    exact = (fractions(x) * fractions(y)).ravel()
    words = random.words(exact.size).tolist() if random else [0] * exact.size
    for name in ("s4f1", "u3f0", "s9f4", "s12f6", "s64f40"):
        fmt = fx.FixedFormat.parse(name)
        for overflow in ("saturate", "wrap"):
            got = multiply(x, y, fmt, rounding, overflow, random=random)
            want = [
                oracle.cast(v, fmt, rounding, Overflow(overflow), noise=n) for v, n in zip(exact, words, strict=True)
            ]
            assert got.codes.ravel().tolist() == want, name


def test_products_of_128_bits():
    x = fx.QTensor(LONG, "s64f20").reshape(-1, 1)
    y = fx.QTensor(LONG[::-1].copy(), "s64f41").reshape(1, -1)
    exact = (fractions(x) * fractions(y)).ravel().tolist()
    for name in ("s64f0", "s32f-30", "u64f-2", "s64f61", "s8f70"):
        fmt = fx.FixedFormat.parse(name)
        for rounding in (Rounding.FLOOR, Rounding.HALF_EVEN, Rounding.AWAY_FROM_ZERO):
            for overflow in ("saturate", "wrap"):
                got = multiply(x, y, fmt, rounding, overflow).codes.ravel().tolist()
                assert got == [oracle.cast(v, fmt, rounding, Overflow(overflow)) for v in exact]
    top = fx.QTensor(np.array([2**64 - 1], dtype=object), "u64f0")
    with pytest.raises(fx.UserError, match="63 bits"):
        multiply(top, top, "u64f0")
    with pytest.raises(fx.UserError, match="overflows"):
        multiply(x, x, "s8f0", overflow="raise")


@pytest.mark.parametrize("number", [0, 1, -1, 7, -8, 8, 0.5, -0.75, 3.0, 1e-3, 2**62, np.int8(-128), np.float32(0.1)])
def test_numbers_take_the_shortest_format_that_holds_them(number):
    q = as_operand(number)
    assert Fraction(int(q.codes)) * q.format.step == Fraction(
        float(number) if isinstance(number, np.floating) else number
    )
    shorter = q.format.word_bits - 1
    if shorter:
        fmt = fx.FixedFormat(word_bits=shorter, frac_bits=q.format.frac_bits, signed=q.format.signed)
        assert not fmt.contains(int(q.codes))


def test_numbers_on_either_side():
    q = fx.QTensor([3, -5], "s8f1")
    np.testing.assert_array_equal((2 - q).value, [0.5, 4.5])
    np.testing.assert_array_equal((q * 0.25).value, [0.375, -0.625])
    np.testing.assert_array_equal((1 + q).value, [2.5, -1.5])
    for number in (float("nan"), float("inf"), "x", None):
        with pytest.raises(fx.UserError, match="no fixed-point format"):
            q + number
    with pytest.raises(fx.UserError, match="at most 64 bits"):
        q + 2.0**80


def test_mean_is_the_exact_quotient_rounded_once():
    q = fx.QTensor(np.arange(-30, 30).reshape(6, 10), "s8f2")
    for axis, count in ((0, 6), (1, 10), (None, 60)):
        for rounding in ("floor", "half_even", "ceil"):
            for name in ("s8f2", "s12f6"):
                fmt = fx.FixedFormat.parse(name)
                got = q.mean(axis=axis, format=fmt, rounding=rounding)
                sums = np.atleast_1d(q.codes.sum(axis=axis, dtype=np.int64)).tolist()
                want = [oracle.cast(Fraction(s, 4 * count), fmt, Rounding(rounding), Overflow.SATURATE) for s in sums]
                assert np.atleast_1d(got.codes).tolist() == want
    # a power of two only moves the point
    assert q.mean(axis=0, format="s20f10", rounding="floor").counts.elements == 10
    assert q[:4].mean(axis=0, format="s20f10").counts.inexact == 0
    with pytest.raises(fx.UserError, match="no elements"):
        q[:0].mean()


def test_broadcasting_follows_numpy():
    a, b = fx.QTensor(np.arange(6).reshape(2, 1, 3), "s8f0"), fx.QTensor(np.arange(4).reshape(4, 1), "s8f0")
    assert (a + b).shape == multiply(a, b, "s8f0").shape == (2, 4, 3)
    np.testing.assert_array_equal((a * b).codes, multiply(a, b, "s16f0").codes)
