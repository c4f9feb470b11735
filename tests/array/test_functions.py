"""Non-linear functions over every input of their formats, against float64."""

import numpy as np
import pytest
from scipy.special import erf, expit

import fxpsim as fx
from fxpsim.array import functions
from fxpsim.numerics import Overflow, Rounding, oracle

REFERENCE = {
    "exp2": np.exp2,
    "exp": np.exp,
    "log2": np.log2,
    "log": np.log,
    "sigmoid": expit,
    "tanh": np.tanh,
    "gelu": lambda v: v * 0.5 * (1 + erf(v / np.sqrt(2))),
}
CASES = [
    *[("exp2", i, o) for i, o in [("s16f11", "u16f12"), ("s16f15", "u16f14"), ("s16f4", "s16f15"), ("s8f4", "s8f4")]],
    *[("exp", i, o) for i, o in [("s16f11", "u16f8"), ("s16f12", "u16f12"), ("s16f4", "s16f0"), ("s8f4", "u8f8")]],
    *[("log2", i, o) for i, o in [("u16f8", "s16f11"), ("u16f16", "s16f11"), ("u16f0", "s16f10"), ("u8f4", "s8f4")]],
    *[("log", i, o) for i, o in [("u16f8", "s16f11"), ("u16f16", "s16f11"), ("u8f4", "s8f4")]],
    *[("sigmoid", i, o) for i, o in [("s16f12", "u16f16"), ("s16f8", "s16f15"), ("s16f0", "s16f15"), ("s8f4", "u8f8")]],
    *[("tanh", i, o) for i, o in [("s16f12", "s16f15"), ("s16f14", "s16f15"), ("s16f15", "s8f4"), ("s8f4", "s8f7")]],
    *[("gelu", i, o) for i, o in [("s16f12", "s16f12"), ("s16f11", "s16f15"), ("s16f15", "s16f4"), ("s8f4", "s8f4")]],
]


def inputs(fmt, *, positive=False):
    first = 1 if positive else fmt.min_code
    return fx.QTensor(np.arange(max(first, fmt.min_code), fmt.max_code + 1), fmt)


@pytest.mark.parametrize(("name", "source", "target"), CASES)
def test_tables_are_within_three_quarters_of_a_unit(name, source, target):
    x = inputs(fx.FixedFormat.parse(source), positive=name.startswith("log"))
    y = getattr(functions, name)(x, target)
    with np.errstate(over="ignore"):
        exact = REFERENCE[name](x.value)
    want = np.clip(exact, y.format.min, y.format.max)
    error_ulp = np.abs(y.value - want) / y.format.resolution
    assert error_ulp.max() < 0.75
    outside = (exact > y.format.max + y.format.resolution) | (exact < y.format.min - y.format.resolution)
    assert y.counts.saturated >= outside.sum()


@pytest.mark.parametrize("rounding", ["floor", "half_even", "half_away", "ceil", "toward_zero", "jam_unbiased"])
@pytest.mark.parametrize(
    ("source", "target"), [("s8f4", "s8f4"), ("s9f0", "s8f9"), ("u8f8", "u8f2"), ("s8f-2", "s8f9")]
)
def test_the_reciprocal_is_correctly_rounded(source, target, rounding):
    x = inputs(fx.FixedFormat.parse(source))
    x = x[x.codes != 0]
    y = functions.reciprocal(x, target, rounding)
    want = [oracle.cast(1 / (int(c) * x.format.step), y.format, Rounding(rounding), Overflow.SATURATE) for c in x.codes]
    assert y.codes.tolist() == want


def below_root(value, fmt):
    """Largest code whose square is at most ``value``, by search."""
    low, high = 0, 1 << 40
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if (middle * fmt.step) ** 2 <= value else (low, middle)
    return low


@pytest.mark.parametrize("name", ["sqrt", "rsqrt"])
@pytest.mark.parametrize(("source", "target"), [("u8f4", "u12f4"), ("u9f0", "u16f6"), ("u8f9", "u16f2")])
def test_roots_are_correctly_rounded(name, source, target):
    x = inputs(fx.FixedFormat.parse(source), positive=True)
    down, up = (getattr(functions, name)(x, target, mode) for mode in ("floor", "ceil"))
    near = getattr(functions, name)(x, target, "half_even")
    fmt = near.format
    for i, code in enumerate(x.codes.tolist()):
        value = code * x.format.step
        square = value if name == "sqrt" else 1 / value
        floor = min(below_root(square, fmt), fmt.max_code)
        exact = (floor * fmt.step) ** 2 == square
        assert down.codes[i] == floor
        assert up.codes[i] == min(floor + (not exact), fmt.max_code)
        middle = ((2 * floor + 1) * fmt.step / 2) ** 2
        nearest = floor + (square > middle or (square == middle and floor % 2 == 1))
        assert near.codes[i] == min(nearest, fmt.max_code)


def test_16_bit_reciprocals_and_roots_over_every_input():
    for name, exact, source, target in [
        ("reciprocal", lambda v: 1 / v, "s16f8", "s16f8"),
        ("sqrt", np.sqrt, "u16f8", "u16f8"),
        ("rsqrt", lambda v: 1 / np.sqrt(v), "u16f8", "u16f12"),
    ]:
        x = inputs(fx.FixedFormat.parse(source))
        x = x[x.codes != 0]
        y = getattr(functions, name)(x, target)
        error = np.abs(y.value - np.clip(exact(x.value), y.format.min, y.format.max)) / y.format.resolution
        assert error.max() <= 0.5 + 1e-6


@pytest.mark.parametrize("target", ["u8f8", "u16f16", "s16f15"])
def test_softmax(target):
    x = fx.cast(np.random.default_rng(0).standard_normal((40, 30)) * 3, "s16f11")
    for axis in (0, 1):
        y = functions.softmax(x, target, axis=axis)
        powers = np.exp(x.value - x.value.max(axis=axis, keepdims=True))
        want = np.minimum(powers / powers.sum(axis=axis, keepdims=True), y.format.max)
        assert (np.abs(y.value - want) / y.format.resolution).max() < 0.75
    assert functions.softmax(fx.QTensor([0, 0, 0, 0], "s8f4"), "u8f7").codes.tolist() == [32] * 4


def test_poles_saturate_and_domains_are_checked():
    zero = fx.QTensor([0], "u8f4")
    assert functions.reciprocal(zero, "s8f4").codes.item() == 127
    assert functions.rsqrt(zero, "u8f4").codes.item() == 255
    assert functions.log2(zero, "s8f4").codes.item() == -128
    assert functions.log(zero, "s8f4").counts.saturated == 1
    negative = fx.QTensor([-1, 1], "s8f4")
    for name in ("sqrt", "rsqrt", "log", "log2"):
        with pytest.raises(fx.UserError, match="1 negative inputs"):
            getattr(functions, name)(negative, "s8f4")


def test_what_the_units_cannot_hold_is_refused():
    with pytest.raises(fx.UserError, match="at most 24 bits"):
        functions.exp(fx.QTensor([1], "s32f4"), "s8f4")
    with pytest.raises(fx.UserError, match="without random bits"):
        functions.exp(fx.QTensor([1], "s8f4"), "s8f4", "stochastic")
    with pytest.raises(fx.UserError, match="bits inside the unit"):
        functions.sqrt(fx.QTensor([1], "u24f-20"), "u24f24")


def test_tables_have_the_stated_size():
    fmt = fx.FixedFormat.parse
    table = functions.activation_table("tanh", fmt("s16f12"), fmt("s16f15"))
    assert (table.entries, table.entry_bits) == (1025, 23)
    assert functions.exp2_table(16).entries == 257
    assert functions.log2_table(11).entries == 65


def test_symmetries_hold_for_every_code():
    x = fx.QTensor(np.arange(-32767, 32768), "s16f12")
    tanh = functions.tanh(x, "s17f15", "half_away").codes.astype(int)
    np.testing.assert_array_equal(tanh, -tanh[::-1])
    assert (np.diff(tanh) >= 0).all()
    assert (np.diff(functions.sigmoid(x, "u16f15").codes.astype(int)) >= 0).all()
    assert (np.diff(functions.exp(x, "u16f5").codes.astype(int)) >= 0).all()
