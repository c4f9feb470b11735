"""What a policy asks of the tiles of a tensor: largest magnitudes, sums of squares, logarithms; in binary64.

A tensor is (rows, columns, positions), a tile covers ``tile`` rows and columns at one position; the last ones may be
shorter. Sums run over a tile row by row, so that neither the number of threads nor the layout in memory can change
them; logarithms are found by squaring, so that no math library can.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for

UNIT_TILES = 1 << 12
UNIT_NUMBERS = 512


@kernel
def _tiles(begin, end, x, tile, square, step, parts, out):
    """Write the sums of squares or the largest magnitudes of the tiles of some rows at some positions."""
    for unit in range(begin, end):
        row, first = unit // parts, unit % parts * step
        for p in range(first, min(first + step, x.shape[2])):
            for c in range(out.shape[1]):
                out[row, c, p] = 0.0
            for i in range(tile * row, min(tile * row + tile, x.shape[0])):
                for c in range(out.shape[1]):
                    found = out[row, c, p]
                    for j in range(tile * c, min(tile * c + tile, x.shape[1])):
                        value = abs(np.float64(x[i, j, p]))
                        if square:
                            found = found + value * value
                        elif value > found:
                            found = value
                    out[row, c, p] = found


@kernel
def _near_tiles(begin, end, x, tile, square, step, parts, out):
    """Write the same of tiles whose columns are next to each other: x (rows, numbers), out (tiles, numbers / tile)."""
    for unit in range(begin, end):
        row, first = unit // parts, unit % parts * step
        found = out[row, first : min(first + step, out.shape[1])]
        found[:] = 0.0
        for i in range(tile * row, min(tile * row + tile, x.shape[0])):
            xs = x[i, tile * first : tile * (first + found.size)]
            if square:
                _add_squares(xs, tile, found)
            else:
                _raise(xs, tile, found)


@kernel
def _add_squares(xs, tile, found):
    if tile == 4:  # the published one, written out: four numbers of several tiles at a time
        for k in range(found.size):
            a, b = np.float64(xs[4 * k]), np.float64(xs[4 * k + 1])
            c, d = np.float64(xs[4 * k + 2]), np.float64(xs[4 * k + 3])
            found[k] = found[k] + a * a + b * b + c * c + d * d
    else:
        for k in range(found.size):
            for j in range(tile):
                value = np.float64(xs[tile * k + j])
                found[k] = found[k] + value * value


@kernel
def _raise(xs, tile, found):
    if tile == 4:
        for k in range(found.size):
            a, b = np.float64(abs(xs[4 * k])), np.float64(abs(xs[4 * k + 1]))
            c, d = np.float64(abs(xs[4 * k + 2])), np.float64(abs(xs[4 * k + 3]))
            most = a if a > found[k] else found[k]
            most = b if b > most else most
            most = c if c > most else most
            found[k] = d if d > most else most
    else:
        for k in range(found.size):
            for j in range(tile):
                value = np.float64(abs(xs[tile * k + j]))
                found[k] = value if value > found[k] else found[k]


@kernel
def _logarithms(begin, end, x, bits, out):
    """Write ``floor(2**bits log2(x))`` of some numbers: the leading bit, then one squaring a bit."""
    for unit in range(begin, end):
        source, result = x[unit * 512 : (unit + 1) * 512], out[unit * 512 : (unit + 1) * 512]
        mantissas = np.empty(512, np.float64)
        for i in range(source.size):
            mantissa, exponent = math.frexp(source[i])
            mantissas[i] = 2.0 * mantissa
            result[i] = exponent - 1
        for _ in range(bits):
            for i in range(source.size):
                square = mantissas[i] * mantissas[i]
                over = square >= 2.0
                mantissas[i] = square * 0.5 if over else square
                result[i] = 2 * result[i] + (1 if over else 0)


def tile_largest(x: NDArray[np.floating], tile: int) -> NDArray[np.float64]:
    """Return the largest magnitude of every tile; a NaN counts as no magnitude.

    >>> tile_largest(np.array([[1.0, -5.0], [3.0, 2.0]])[:, :, None], 2)[:, :, 0].tolist()
    [[5.0]]
    """
    return _of_tiles(x, tile, square=False)


def tile_squares(x: NDArray[np.floating], tile: int) -> NDArray[np.float64]:
    """Return the sum of squares of every tile.

    >>> tile_squares(np.array([[1.0, -5.0, 1.0], [3.0, 2.0, 2.0]])[:, :, None], 2)[:, :, 0].tolist()
    [[39.0, 5.0]]
    """
    return _of_tiles(x, tile, square=True)


def logarithms(x: NDArray[np.floating], bits: int) -> NDArray[np.int64]:
    """Return ``floor(2**bits log2(x))`` of positive numbers.

    >>> logarithms(np.array([8.0, 3.0]), 2).tolist()
    [12, 6]
    """
    flat = np.ascontiguousarray(x, np.float64).reshape(-1)
    out = np.empty(flat.size, np.int64)
    parallel_for(_logarithms, -(-flat.size // UNIT_NUMBERS), flat, bits, out)
    return out.reshape(x.shape)


def _of_tiles(x: NDArray[np.floating], tile: int, *, square: bool) -> NDArray[np.float64]:
    """Look at all tiles, and lay the results out as the tensor is."""
    rows, columns, positions = x.shape
    shape = -(-rows // tile), -(-columns // tile), positions
    # columns are mostly next to each other in memory: then those of the result are, too
    near = abs(x.strides[1]) < abs(x.strides[2])
    out = np.empty((shape[0], shape[2], shape[1])).transpose(0, 2, 1) if near else np.empty(shape)
    if near and columns % tile == 0:
        flat = np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(rows, -1)
        parts = -(-positions * shape[1] // UNIT_TILES)
        lines = out.transpose(0, 2, 1).reshape(shape[0], -1)
        parallel_for(_near_tiles, shape[0] * parts, flat, tile, square, UNIT_TILES, parts, lines)
        return out
    step = max(1, UNIT_TILES // max(1, shape[1]))
    parts = max(1, -(-positions // step))
    parallel_for(_tiles, shape[0] * parts, x, tile, square, step, parts, out)
    return out
