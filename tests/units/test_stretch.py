"""What a program stores for later, and casts that take the tensor's range along."""

import numpy as np
import pytest

from fxpsim.autodiff.engine import Engine
from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.quantizers import FixedPoint
from fxpsim.units import FixedUnit, FloatUnit
from fxpsim.units.graph import Node, apply, leaf
from fxpsim.units.stretch import LONGEST_REPEAT, stores

X = leaf(np.ones((4, 3), np.float32))
Y = leaf(np.ones((4, 3), np.float32))
COLUMN = leaf(np.ones(3, np.float32))
ROW = leaf(np.ones((4, 1), np.float32))


def f32(primitive: str, *operands: Node) -> Node:
    return apply(primitive, *operands, dtype="f32")


def test_what_is_quicker_to_compute_again_is_not_stored():
    scaled = f32("multiply", X, COLUMN)
    assert stores(scaled, "f32") == []
    assert stores(X, "f32") == [], "it is in memory"
    for other in (f32("add", X, Y), f32("divide", X, COLUMN), f32("multiply", X, ROW)):
        assert stores(other, "f32") == [(other, "f32")]
    assert stores(scaled, "i16") == [(scaled, "i16")], "reading it again would cost twice as much"
    long = scaled
    for _ in range(LONGEST_REPEAT):
        long = f32("add", long, COLUMN)
    assert stores(long, "f32") == [(long, "f32")]


def test_tensors_that_are_read_anyway_cost_nothing():
    both = f32("add", X, Y)
    assert stores(both, "f32", beside=[f32("negate", X)]) == []


UNITS = [FloatUnit(), FixedUnit(16)]


def values(unit, scale: float) -> object:
    random = np.random.default_rng(2)
    if isinstance(unit, FloatUnit):
        return unit.load((random.standard_normal((6, 5)) * scale).astype(np.float32), None)
    return unit.load((random.standard_normal((6, 5)) * scale * 256).astype(np.int32), 8)


@pytest.mark.parametrize("unit", UNITS, ids=["float", "fixed"])
@pytest.mark.parametrize("scale", [0.0, 0.3, 7.0])
@pytest.mark.parametrize("rounding", [Rounding.HALF_EVEN, Rounding.STOCHASTIC])
def test_a_measured_cast_is_the_cast_and_the_exponent(unit, scale, rounding):
    fmt = FixedFormat(word_bits=8, frac_bits=5)
    plain, counts = unit.cast(values(unit, scale), fmt, rounding, (1, 2))
    measured, same, exponent = unit.cast_measured(values(unit, scale), fmt, rounding, (1, 2), reused=True)
    np.testing.assert_array_equal(measured.codes, plain.codes)
    assert (measured.format, same) == (fmt, counts)
    assert exponent == unit.leading_exponent(values(unit, scale))


class Dynamic:
    """The precision of one stream whose format follows the range."""

    def quantizer(self, layer, stream):
        return FixedPoint(word_bits=8)

    def __getattr__(self, name):
        return lambda *arguments, **more: False  # wants nothing, keeps no record


@pytest.mark.parametrize("unit", UNITS, ids=["float", "fixed"])
@pytest.mark.parametrize("stream", ["activation", "error"])
def test_a_wrong_guess_of_the_range_leaves_no_trace(unit, stream):
    used = Engine(None, unit, Dynamic())
    for scale in (1.0, 1.0, 40.0, 0.02, 0.0, 0.0, 5.0):
        fresh = Engine(None, unit, Dynamic())
        found, expected = (e.quantize(values(unit, scale), stream) for e in (used, fresh))
        assert found.format == expected.format
        np.testing.assert_array_equal(found.codes, expected.codes)


def test_a_tensor_that_is_not_finite_is_refused():
    unit = FloatUnit()
    fmt = FixedFormat(word_bits=8, frac_bits=5)
    for bad in (np.inf, np.nan, -np.inf):
        with pytest.raises(UserError, match="diverged"):
            unit.cast_measured(
                unit.load(np.array([1.0, bad], np.float32), None), fmt, Rounding.HALF_EVEN, (0, 0), reused=False
            )
