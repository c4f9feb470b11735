"""The binary32 vector unit against NumPy's binary32, operation by operation."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, Rounding, oracle, threefry
from fxpsim.units import Accumulated, FloatUnit, Value
from fxpsim.units.graph import leaf

unit = FloatUnit()
MODES = [mode for mode in Rounding if mode is not Rounding.JAM]


def floats(seed: int, shape=(5, 7)) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.standard_normal(shape) * 10.0 ** random.integers(-5, 5, shape)).astype(np.float32)


@pytest.mark.parametrize("operation", ["add", "subtract", "multiply"])
def test_every_operation_is_rounded_on_its_own(operation):
    a, b, c = floats(1), floats(2), floats(3, (7,))
    ufunc = getattr(np, operation)
    x, y, z = (Value(leaf(v)) for v in (a, b, c))
    got = unit.array(unit.add(getattr(unit, operation)(x, y), z))
    np.testing.assert_array_equal(got, ufunc(a, b) + c)


def test_accumulators_become_the_nearest_float():
    codes = np.array([[2**24 + 1, -(2**31), 7]], np.int32)
    got = unit.array(unit.from_accumulator(Accumulated(codes, 5, 2**31)))
    np.testing.assert_array_equal(got, (codes.astype(np.float32) / np.float32(32)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-300, 300, width=32), min_size=4, max_size=4),
    st.integers(2, 24),
    st.integers(-4, 12),
    st.booleans(),
    st.sampled_from(MODES),
)
def test_a_cast_equals_the_oracle(numbers, word_bits, frac_bits, signed, rounding):
    fmt = FixedFormat(word_bits=word_bits, frac_bits=frac_bits, signed=signed)
    operand, counts = unit.cast(Value(leaf(np.array([numbers], np.float32))), fmt, rounding, (9, 2))
    noise = threefry.stream_words(np.arange(4), 9, 2)
    wanted = [
        oracle.round_fraction(Fraction(x) * Fraction(2) ** frac_bits, rounding, int(word))
        for x, word in zip(numbers, noise, strict=True)
    ]
    clamped = [min(max(c, fmt.min_code), fmt.max_code) for c in wanted]
    assert operand.codes.ravel().tolist() == clamped
    assert counts.saturated == sum(c != w for c, w in zip(clamped, wanted, strict=True))


@pytest.mark.parametrize("rounding", [Rounding.CEIL, Rounding.FLOOR, Rounding.AWAY_FROM_ZERO, Rounding.HALF_EVEN])
@pytest.mark.parametrize("frac_bits", [-130, -1, 139, 150])
def test_the_smallest_numbers_are_scaled_exactly(rounding, frac_bits):
    numbers = [2.0**-149, -(2.0**-149), 2.0**-140, 0.0]
    fmt = FixedFormat(word_bits=16, frac_bits=frac_bits)
    operand, _ = unit.cast(Value(leaf(np.array([numbers], np.float32))), fmt, rounding, (0, 0))
    wanted = [oracle.round_fraction(Fraction(x) * Fraction(2) ** frac_bits, rounding) for x in numbers]
    assert operand.codes.ravel().tolist() == [min(max(c, fmt.min_code), fmt.max_code) for c in wanted]


@pytest.mark.parametrize("word_bits", [25, 32])
def test_words_longer_than_a_significand_saturate_exactly(word_bits):
    fmt = FixedFormat(word_bits=word_bits, frac_bits=10)
    x = np.array([[1e30, -1e30, 2.0**-10, 0.75]], np.float32)
    operand, counts = unit.cast(Value(leaf(x)), fmt, Rounding.HALF_EVEN, (0, 0))
    assert operand.codes.ravel().tolist() == [fmt.max_code, fmt.min_code, 1, 768]
    assert counts.saturated == 2


def test_column_sums_have_one_order():
    x = floats(4, (3000, 17))
    first = unit.array(unit.sum_leading(Value(leaf(x)), (17,)))
    np.testing.assert_allclose(first, x.astype(np.float64).sum(0), rtol=2e-3, atol=abs(x).max() * 1e-4)


def test_leading_exponent():
    for number, exponent in [(1.0, 1), (0.999, 0), (-8.0, 4), (2.0**-130, -129)]:
        assert unit.leading_exponent(Value(leaf(np.array([[number, 0]], np.float32)))) == exponent
    assert unit.leading_exponent(Value(leaf(np.zeros((1, 3), np.float32)))) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_divergence_is_reported(bad):
    with pytest.raises(UserError, match="diverged"):
        unit.leading_exponent(Value(leaf(np.array([[1.0, bad]], np.float32))))


def test_stochastic_rounding_in_32_bit_lanes_is_the_general_one():
    from fxpsim.kernels.primitives import round_binary32_stochastic
    from fxpsim.kernels.scalar import round_float_stochastic

    random = np.random.default_rng(6)
    numbers = np.concatenate(
        [floats(7).ravel(), np.float32([0.5, -0.5, 1 - 2**-24, -(1 - 2**-24), 2.0**-33, -(2.0**-33), -0.0, 3])]
    )
    edges = [0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 257, 2**32 - 256, 2**32 - 1]
    for y in numbers:
        for noise in [*edges, *random.integers(0, 2**32, 8)]:
            assert round_binary32_stochastic(y, int(noise)) == round_float_stochastic(y, int(noise)), (y, noise)
