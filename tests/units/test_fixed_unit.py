"""The fixed-point vector unit against exact rationals: every result is the exact one, rounded once."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, Rounding, oracle
from fxpsim.units import Accumulated, FixedUnit, Value, Window
from fxpsim.units.fixed import constant
from fxpsim.units.graph import leaf

MODES = [Rounding.HALF_EVEN, Rounding.HALF_AWAY, Rounding.FLOOR]


def values(v: Value) -> list[Fraction]:
    unit = FixedUnit()
    return [Fraction(int(c)) / Fraction(2) ** v.frac_bits for c in unit.array(v).ravel()]


@st.composite
def tensors(draw, word_bits: int = 16) -> Value:
    limit = 2 ** (word_bits - 1) - 1
    codes = draw(st.lists(st.integers(-limit, limit), min_size=4, max_size=4))
    bound = max(map(abs, codes))
    return Value(leaf(np.array(codes, np.int16).reshape(2, 2)), draw(st.integers(-4, 20)), max(bound, 1))


def check(result: Value, exact: list[Fraction], rounding: Rounding, limit: int) -> None:
    assert result.frac_bits is not None
    assert result.bound is not None
    assert result.bound <= limit
    for got, wanted in zip(values(result), exact, strict=True):
        scaled = wanted * Fraction(2) ** result.frac_bits
        code = min(max(oracle.round_fraction(scaled, rounding), -limit), limit)
        assert got * Fraction(2) ** result.frac_bits == code
        assert abs(code) <= result.bound


@settings(max_examples=60, deadline=None)
@given(tensors(), tensors(), st.sampled_from(MODES), st.sampled_from(["add", "subtract", "multiply"]))
def test_sums_and_products_are_exact_and_rounded_once(a, b, rounding, operation):
    unit = FixedUnit(16, rounding)
    if operation != "multiply" and abs(a.frac_bits - b.frac_bits) > 14:
        b.frac_bits = a.frac_bits - 14  # further apart, the finer operand is rounded first: next test
    exact = {"add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y}[operation]
    wanted = [exact(x, y) for x, y in zip(values(a), values(b), strict=True)]
    check(getattr(unit, operation)(a, b), wanted, rounding, unit.limit)


def test_operands_far_apart_keep_the_larger_one():
    unit = FixedUnit()
    big = Value(leaf(np.array([[30000]], np.int16)), 0, 30000)
    tiny = Value(leaf(np.array([[3]], np.int16)), 40, 3)
    result = unit.add(big, tiny)
    assert values(result) == [Fraction(30000)]


@settings(max_examples=60, deadline=None)
@given(tensors(), st.fractions(min_value=-4, max_value=4, max_denominator=1000), st.sampled_from(MODES))
def test_a_constant_is_a_word_and_a_shift(a, factor, rounding):
    unit = FixedUnit(16, rounding)
    mantissa, shift = constant(factor, 15)
    held = mantissa / Fraction(2) ** shift
    assert abs(held - factor) <= abs(factor) / 2**15
    check(unit.scale(a, factor), [x * held for x in values(a)], rounding, unit.limit)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=4, max_size=4), st.integers(0, 30), st.sampled_from(MODES))
def test_accumulators_are_rounded_by_the_leading_bit(codes, frac_bits, rounding):
    unit = FixedUnit(16, rounding)
    sums = np.array(codes, np.int32).reshape(2, 2)
    largest = int(np.abs(sums.astype(np.int64)).max())
    result = unit.from_accumulator(Accumulated(sums, frac_bits, largest))
    check(result, [Fraction(c) / 2**frac_bits for c in codes], rounding, unit.limit)
    if largest > unit.limit:
        assert result.frac_bits == frac_bits - (largest.bit_length() - 15)


@settings(max_examples=60, deadline=None)
@given(
    tensors(),
    st.integers(2, 16),
    st.integers(-6, 24),
    st.booleans(),
    st.sampled_from([*MODES, Rounding.STOCHASTIC]),
)
def test_a_cast_equals_the_oracle(a, word_bits, frac_bits, signed, rounding):
    from fxpsim.numerics import threefry

    unit = FixedUnit()
    fmt = FixedFormat(word_bits=word_bits, frac_bits=frac_bits, signed=signed)
    operand, counts = unit.cast(a, fmt, rounding, (3, 4))
    noise = threefry.stream_words(np.arange(4), 3, 4)
    exact = values(a)
    # a shift of more than 62 places is taken as 62; all these are shorter
    wanted = []
    for x, word in zip(exact, noise, strict=True):
        code = oracle.round_fraction(x * Fraction(2) ** frac_bits, rounding, int(word))
        wanted.append(code)
    clamped = [min(max(c, fmt.min_code), fmt.max_code) for c in wanted]
    assert operand.codes.ravel().tolist() == clamped
    assert counts.saturated == sum(c != w for c, w in zip(clamped, wanted, strict=True))
    assert counts.nonzero == sum(c != 0 for c in clamped)
    assert counts.underflow == sum(c == 0 and x != 0 for c, x in zip(clamped, exact, strict=True))


def test_sums_over_leading_axes_are_exact():
    unit = FixedUnit()
    codes = np.full((4096, 3), 32767, np.int16)
    total = unit.sum_leading(Value(leaf(codes), 5, 32767), (3,))
    exact = Fraction(4096 * 32767, 2**5)
    assert all(abs(v - exact) <= Fraction(1, 2) / Fraction(2) ** total.frac_bits for v in values(total))


def test_leading_exponent():
    unit = FixedUnit()
    for code, frac_bits, exponent in [(1, 0, 1), (255, 4, 4), (256, 4, 5), (-256, 4, 5), (-128, 4, 4)]:
        assert unit.leading_exponent(Value(leaf(np.array([[code, 0]], np.int16)), frac_bits, 32767)) == exponent
    assert unit.leading_exponent(Value(leaf(np.zeros((1, 2), np.int16)), 3, 32767)) is None


def test_pooling_and_gates():
    unit = FixedUnit()
    x = Value(leaf(np.arange(16, dtype=np.int16).reshape(1, 4, 4, 1)), 2, 15)
    window = Window(size=(2, 2), stride=(2, 2))
    largest, winners = unit.window_max(x, window)
    assert unit.array(largest).ravel().tolist() == [5, 7, 13, 15]
    spread = unit.window_max_gradient(largest, winners, window, x.shape)
    assert unit.array(spread).sum() == 40
    assert values(unit.window_sum(x, window)) == [Fraction(s, 4) for s in (10, 18, 42, 50)]
    gated = unit.gate(
        Value(leaf(np.array([[1, 0, -1]], np.int16)), 0, 1), Value(leaf(np.array([[7, 7, 7]], np.int16)), 0, 7)
    )
    assert unit.array(gated).tolist() == [[7, 0, 0]]


def test_no_float_stream_on_a_fixed_unit():
    with pytest.raises(UserError, match="float32"):
        FixedUnit().operand(Value(leaf(np.zeros((1, 1), np.int16)), 0, 0))
