"""What policies ask of tiles, against loops in plain Python: any layout, ragged edges, any number of threads."""

import math

import numpy as np
import pytest

from fxpsim.kernels import tiles_seen

SHAPES = [(4, 4, 1), (9, 13, 3), (1, 1, 1), (2, 3, 70), (21, 5, 2), (9, 12, 7), (6, 20, 3)]


def tiles(x, tile):
    """Return (place, elements row by row) of every tile."""
    for r in range(0, x.shape[0], tile):
        for c in range(0, x.shape[1], tile):
            for p in range(x.shape[2]):
                yield (r // tile, c // tile, p), [float(v) for v in x[r : r + tile, c : c + tile, p].reshape(-1)]


def layouts(shape, dtype):
    """Return the same numbers with positions, columns or rows next to each other in memory."""
    x = np.random.default_rng(5).standard_normal(shape).astype(dtype) * 1e3
    for order in ((0, 1, 2), (0, 2, 1), (2, 1, 0)):
        yield np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))


def log2_floor(x: float, bits: int) -> int:
    """Return the digits of log2(x) by squaring."""
    mantissa, exponent = math.frexp(x)
    mantissa, result = 2 * mantissa, exponent - 1
    for _ in range(bits):
        mantissa *= mantissa
        result = 2 * result + (mantissa >= 2)
        mantissa = mantissa / 2 if mantissa >= 2 else mantissa
    return result


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tile", [1, 4, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_tiles_are_those_of_the_loop(shape, tile, dtype):
    for x in layouts(shape, dtype):
        largest, squares = tiles_seen.tile_largest(x, tile), tiles_seen.tile_squares(x, tile)
        assert largest.dtype == squares.dtype == np.float64
        for place, elements in tiles(x, tile):
            assert largest[place] == max(abs(v) for v in elements)
            total = 0.0
            for v in elements:
                total += v * v
            assert squares[place] == total


def test_long_tensors_with_any_number_of_threads(members):
    x = np.random.default_rng(6).standard_normal((6, 3000, 9)).astype(np.float32).transpose(0, 2, 1)
    squares = tiles_seen.tile_squares(x, 4)
    largest, logarithms = tiles_seen.tile_largest(x, 4), tiles_seen.logarithms(squares, 12)
    for place, elements in tiles(x, 4):
        total = 0.0
        for v in elements:
            total += v * v
        assert squares[place] == total
        assert largest[place] == max(abs(v) for v in elements)
        assert logarithms[place] == log2_floor(total, 12)


def test_logarithms_are_those_of_the_squarings():
    x = np.concatenate([np.abs(np.random.default_rng(7).standard_normal(1100)), 2.0 ** np.arange(-40, 40)])
    for bits in (0, 4, 12):
        assert tiles_seen.logarithms(x, bits).tolist() == [log2_floor(v, bits) for v in x]


def test_a_nan_is_no_magnitude():
    for columns in (4, 5):
        for x in [own.copy("K") for own in layouts((4, columns, 3), np.float32)]:
            expected = np.abs(x).max(axis=(0, 1))
            place = np.unravel_index(np.argmin(np.abs(x[:, :4, 1])), (4, 4))
            x[place[0], place[1], 1] = np.nan
            assert tiles_seen.tile_largest(x, 8)[0, 0].tolist() == expected.tolist()
            assert np.isnan(tiles_seen.tile_squares(x, 8)[0, 0]).tolist() == [False, True, False]
