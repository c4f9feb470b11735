"""The coding kernels against NumPy."""

import math
from typing import Any

import numpy as np
import pytest

from fxpsim.kernels.coding.columns import code_columns
from fxpsim.kernels.coding.householder import code_mixed, mixed_ranges, unmixed, unmixed_zeros
from fxpsim.kernels.coding.ranges import column_ranges, run_ranges
from fxpsim.kernels.coding.rounding import MODES
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.householder import BlockHouseholder
from fxpsim.quantizers.rounding import counted_rows, random_words, round_rows

WORD = FixedFormat(word_bits=8, frac_bits=0, signed=False)
GROUPS = BlockHouseholder(
    groups=[np.array([4, 0, 2]), np.array([5]), np.array([1, 3, 6, 7, 8])], ratios=[3.7, 1.0, 1 / 3]
)


def noise(shape, seed=0, dtype: Any = np.float32):
    return (np.random.default_rng(seed).standard_normal(shape) * 10).astype(dtype)


@pytest.mark.parametrize("shape", [(1, 1), (3, 40000), (70000, 3), (5, 7, 16)])
def test_ranges_are_those_of_numpy(shape):
    x = noise(shape)
    for found, axis in ((run_ranges(x, len(x)), 1), (column_ranges(x), 0)):
        lines = x.reshape(len(x), -1) if axis == 1 else x.reshape(-1, shape[-1])
        assert found is not None
        assert np.array_equal(found[0], lines.min(axis=axis))
        assert np.array_equal(found[1], lines.max(axis=axis))


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_found_wherever_it_is(bad):
    for place in (0, 7, 99_999):
        x = noise((100_000, 1))
        x[place] = bad
        assert run_ranges(x, 1) is None
        assert run_ranges(x, 100) is None
        assert column_ranges(x.reshape(-1, 5)) is None


def test_extreme_numbers_keep_their_order():
    x = np.array([-3.4028235e38, -1.0, -1e-45, -0.0, 0.0, 1e-45, 1.0, 3.4028235e38], np.float32)
    found = run_ranges(x.repeat(2), 8)
    assert found is not None
    low, high = found
    assert np.array_equal(low, x)
    assert np.array_equal(high, x)


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize("shape", [(9, 5), (3, 1000, 16), (5000, 1)])
def test_columns_are_rows_of_the_turned_tensor(mode, shape):
    x = noise(shape)
    x.reshape(-1)[::7] = 0
    columns = shape[-1]
    low, factor = np.linspace(-9, -3, columns), np.linspace(3, 20, columns)
    zero = np.floor(-low * factor)
    source = RandomBits(seed=4, bits=9)
    turned = np.ascontiguousarray(np.moveaxis(x, -1, 0))
    rows, tally = counted_rows(turned, low, factor, zero, WORD, rounding=mode, random=source)
    found = code_columns(
        x, low, factor, zero, np.uint8, limits=(0, 255), mode=MODES[mode], words=random_words(source, x.size)
    )
    assert np.array_equal(found[0], np.moveaxis(rows, 0, -1))
    assert (x.size - found[1], found[2]) == (tally.nonzero, tally.underflow)
    assert found[2] > 0 or x.size < 100


def test_counts_of_rows_are_those_of_their_codes():
    x = noise((30, 4111))
    x[::3, ::5] = 0
    zero = np.where(np.arange(30) % 4, 100.0, np.nan)
    codes, tally = counted_rows(
        x, np.full(30, -10.0), np.full(30, 10.0), zero, WORD, rounding=Rounding.STOCHASTIC, random=RandomBits(seed=2)
    )
    zeros = codes == zero[:, None]
    assert tally.nonzero == x.size - np.count_nonzero(zeros)
    assert tally.underflow == np.count_nonzero(zeros & (x != 0))


@pytest.mark.parametrize("columns", [1, 7, 256, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mixed_rows_are_those_of_the_transform(columns, dtype):
    x = noise((9, columns), dtype=dtype)
    mixed = GROUPS.apply(x.astype(np.float64))
    low, high = mixed_ranges(x, GROUPS.joined)
    assert np.array_equal(low, mixed.min(axis=1))
    assert np.array_equal(high, mixed.max(axis=1))
    extent = np.where(high > low, high - low, 1)
    for mode in MODES:
        source = RandomBits(seed=8)
        wanted = round_rows(mixed, low, 255 / extent, WORD, rounding=mode, random=source)
        words = random_words(source, x.size)
        got = code_mixed(x, GROUPS.joined, low, 255 / extent, np.uint8, largest=255, mode=MODES[mode], words=words)
        assert np.array_equal(got, wanted)


def inverse(transform, y):
    """Undo the transform as the formula says, row after row."""
    x = y.copy()
    for group, ratio in zip(transform.groups, transform.ratios, strict=True):
        root = math.sqrt(len(group))
        if len(group) > 1:
            total = y[group[1]].copy()
            for row in group[2:]:
                total = total + y[row]
            t = y[group[0]] - total / (root - 1.0)
            x[group[0]] = y[group[0]] - (1.0 - 1.0 / root) * t
            x[group[1:]] = (y[group[1:]] + t / root) / ratio
    return x


@pytest.mark.parametrize("columns", [1, 7, 256, 1000])
def test_the_inverse_and_its_zeros(columns):
    y = noise((9, columns), dtype=np.float64)
    y[:, ::3] = 0
    wanted = inverse(GROUPS, y)
    assert np.array_equal(unmixed(y, GROUPS.joined, np.float64), wanted)
    assert np.array_equal(unmixed(y, GROUPS.joined, np.float32), wanted.astype(np.float32))
    codes, step, low = (noise((9, columns), 3) > 0).astype(np.uint8), np.ones(9), np.zeros(9)
    x = noise((9, columns), 5)
    x[:, 0] = 0
    zero = inverse(GROUPS, codes * step[:, None]) == 0
    found = unmixed_zeros(codes, GROUPS.joined, step, low, x)
    assert found == (np.count_nonzero(zero), np.count_nonzero(zero & (x != 0)))
