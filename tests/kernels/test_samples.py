"""Sums over whole tensors, against integers in Python and NumPy's scaling."""

import numpy as np
import pytest

from fxpsim.kernels.samples import as_integers, rounding_sums


@pytest.mark.parametrize("shift", [0, 1, 2, 7, 36, 43, 44, 61])
def test_sums_are_exact(shift):
    codes = np.random.default_rng(shift).integers(-(1 << 43), 1 << 43, 3000) >> np.arange(3000) % 40
    values = [int(code) for code in codes]
    rounded = [_nearest(value, shift) for value in values]
    lost = [abs(value - (near << shift)) for value, near in zip(values, rounded, strict=True)]
    assert rounding_sums(codes, shift) == (sum(map(abs, values)), sum(map(abs, rounded)), sum(lost))


def _nearest(value: int, shift: int) -> int:
    """Return ``value / 2**shift``, ties to even."""
    low, rest, half = value >> shift, value & ((1 << shift) - 1), 1 << shift >> 1
    return low + int(rest > half or (shift > 0 and rest == half and low % 2 == 1))


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 17) + 3])
def test_sums_of_chunks_come_together(size):
    assert rounding_sums(np.full(size, -6), 2) == (6 * size, 2 * size, 2 * size)


@pytest.mark.parametrize("frac_bits", [-40, 0, 3, 60])
def test_floats_are_read_as_integers(frac_bits):
    values = np.random.default_rng(1).standard_normal(70_000).astype(np.float32)
    values[:4] = 0.5, 1.5, -2.5, 0
    values = np.ldexp(values, -min(frac_bits, 20)).astype(np.float32)
    expected = np.rint(np.ldexp(values.astype(np.float64), frac_bits)).astype(np.int64)
    np.testing.assert_array_equal(as_integers(values, frac_bits), expected)
