"""Sums of codes with floating exponents against sums of fractions, however far the exponents spread."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim.units import windows
from fxpsim.units.coded import CodedOperand
from fxpsim.units.patches import matmul_of, result_of
from fxpsim.units.windows import exact_sums

SAME = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}
PLACES = {
    "matmul": ((6, 8), (8, 5), (1, 4), (4, 1), {}),
    "conv2d": ((2, 4, 4, 4), (3, 3, 4, 5), (2, 1, 1, 4), (1, 1, 4, 4), SAME),
    "conv2d_weight_grad": (
        (4, 4, 4, 3),
        (4, 4, 4, 5),
        (4, 1, 1, 2),
        (2, 1, 1, 4),
        SAME | {"kernel_shape": (3, 3, 3, 5)},
    ),
}


def operand(shape, cut, spread, seed):
    generator = np.random.default_rng(seed)
    codes = generator.integers(-127, 128, shape).astype(np.int8)
    codes[generator.random(shape) < 0.2] = 0
    blocks = [-(-n // length) for n, length in zip(shape, cut, strict=True)]
    exponents = generator.integers(-spread, 1, blocks)
    exponents.reshape(-1)[:2] = 0, -spread
    return CodedOperand(codes, 8, np.ldexp(1.0, exponents), np.zeros((1,) * len(shape)), cut=cut)


def expected(operation, a, b, attributes):
    left, right = matmul_of(operation, a.values(), b.values(), attributes)
    rows, columns = [[[Fraction(x) for x in line] for line in m.tolist()] for m in (left, right.T)]
    sums = np.array([[sum(x * y for x, y in zip(r, c, strict=True)) for c in columns] for r in rows], object)
    return result_of(operation, sums, a.shape, b.shape, attributes)


def single(x):
    """Round a fraction to binary32, half to even."""
    near = np.float32(float(x))
    candidates = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]
    return min(candidates, key=lambda c: (abs(Fraction(float(c)) - x), int(c.view(np.int32)) & 1))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("spreads", [(0, 0), (3, 0), (9, 1), (14, 2), (12, 12), (30, 2), (20, 20), (45, 40)])
def test_sums_are_exact_until_they_are_rounded_once(place, spreads):
    shape_a, shape_b, cut_a, cut_b, attributes = PLACES[place]
    a, b = operand(shape_a, cut_a, spreads[0], 1), operand(shape_b, cut_b, spreads[1], 2)
    wanted = expected(place, a, b, attributes)
    got = exact_sums(place, a, b, attributes, np.float32)
    assert got.dtype == np.float32
    assert got.reshape(-1).tolist() == [single(x) for x in wanted.reshape(-1).tolist()]
    # a step for every element: another way to the same sums
    other = exact_sums(place, a.spread, b.spread, attributes, np.float32)
    assert np.array_equal(got, other)
    wide = exact_sums(place, a, b, attributes)
    errors = [abs(Fraction(y) - x) for x, y in zip(wanted.reshape(-1).tolist(), wide.reshape(-1).tolist(), strict=True)]
    assert all(e <= abs(x) * Fraction(1, 2**52) for e, x in zip(errors, wanted.reshape(-1).tolist(), strict=True))


def test_long_codes_are_halved_where_that_is_exact(monkeypatch):
    halved = []
    real = windows.split
    monkeypatch.setattr(windows, "split", lambda *arguments: halved.append(1) or real(*arguments))
    shape_a, shape_b, cut_a, cut_b, attributes = PLACES["conv2d"]
    for spread, often in ((3, 0), (9, 1), (14, 1), (24, 0)):
        halved.clear()
        exact_sums("conv2d", operand(shape_a, cut_a, spread, 1), operand(shape_b, cut_b, 0, 2), attributes)
        assert len(halved) == often


def test_the_largest_codes_of_halves():
    """All magnitudes at their bounds, so that a sum of 32 bits is as full as it may be."""
    step = np.ldexp(1.0, np.array([[0, 8] * 32]))
    for sign in (1, -1):
        a = CodedOperand(np.full((1, 128), sign * 127, np.int8), 8, step, np.zeros((1, 1)), cut=(1, 2))
        b = CodedOperand(np.full((128, 1), 127, np.int8), 8, np.ones((1, 1)), np.zeros((1, 1)))
        assert exact_sums("matmul", a, b, {}).item() == sign * 127 * 127 * 64 * 257


def test_zeros_are_zero():
    a = operand((6, 8), (1, 4), 5, 1)
    nothing = CodedOperand(np.zeros((8, 5), np.int8), 8, np.ones((2, 5)), np.zeros((1, 1)), cut=(4, 1))
    assert not exact_sums("matmul", a, nothing, {}, np.float32).any()
