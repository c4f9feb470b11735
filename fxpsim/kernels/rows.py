"""Statistics of the rows of a matrix: exact for codes, in a pinned order for floats.

The last axis runs along a row. A row is summed from left to right, so that neither the number of threads nor the other
rows can change its result.
"""

from __future__ import annotations

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for

ROWS_PER_UNIT = 32


def row_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return sum, sum of squares, smallest and largest code of every row (int64 each).

    >>> [part.tolist() for part in row_moments(np.array([[1, -5], [3, 2]], np.int16))]
    [[-4, 5], [26, 13], [-5, 2], [1, 3]]
    """
    wide = x.reshape(-1, x.shape[-1])
    out = np.zeros((4, len(wide)), np.int64)
    parallel_for(_moments, _units(wide), wide, out)
    return out[0], out[1], out[2], out[3]


def row_products(g: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the row sums of ``g`` and of ``g * x``, and the largest ``|g|`` of every row (int64 each)."""
    wide = g.reshape(-1, g.shape[-1])
    out = np.zeros((3, len(wide)), np.int64)
    parallel_for(_products, _units(wide), wide, x.reshape(wide.shape), out)
    return out[0], out[1], out[2]


def row_spread_float(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and sum of squared deviations of every row, each operation rounded to binary32."""
    wide = x.reshape(-1, x.shape[-1])
    means, deviations = np.zeros((2, len(wide)), np.float32)
    parallel_for(_spread_float, _units(wide), wide, means, deviations)
    return means, deviations


def row_products_float(g: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row sums of ``g`` and of ``g * y``, each operation rounded to binary32."""
    wide = g.reshape(-1, g.shape[-1])
    sums, products = np.zeros((2, len(wide)), np.float32)
    parallel_for(_products_float, _units(wide), wide, y.reshape(wide.shape), sums, products)
    return sums, products


def _units(wide: np.ndarray) -> int:
    return -(-len(wide) // ROWS_PER_UNIT)


@kernel
def _moments(begin, end, x, out):
    for row in range(begin * ROWS_PER_UNIT, min(end * ROWS_PER_UNIT, x.shape[0])):
        xs = x[row]
        total, squares = np.int64(0), np.int64(0)
        low, high = np.int64(xs[0]), np.int64(xs[0])
        for i in range(xs.size):
            v = np.int64(xs[i])
            total += v
            squares += v * v
            low = min(low, v)
            high = max(high, v)
        out[0, row], out[1, row], out[2, row], out[3, row] = total, squares, low, high


@kernel
def _products(begin, end, g, x, out):
    for row in range(begin * ROWS_PER_UNIT, min(end * ROWS_PER_UNIT, g.shape[0])):
        gs, xs = g[row], x[row]
        total, products, high = np.int64(0), np.int64(0), np.int64(0)
        for i in range(gs.size):
            v = np.int64(gs[i])
            total += v
            products += v * np.int64(xs[i])
            high = max(high, abs(v))
        out[0, row], out[1, row], out[2, row] = total, products, high


@kernel
def _spread_float(begin, end, x, means, deviations):
    for row in range(begin * ROWS_PER_UNIT, min(end * ROWS_PER_UNIT, x.shape[0])):
        xs = x[row]
        total = np.float32(0)
        for i in range(xs.size):
            total = np.float32(total + xs[i])
        mean = np.float32(total / np.float32(xs.size))
        squares = np.float32(0)
        for i in range(xs.size):
            d = np.float32(xs[i] - mean)
            squares = np.float32(squares + np.float32(d * d))
        means[row], deviations[row] = mean, squares


@kernel
def _products_float(begin, end, g, y, sums, products):
    for row in range(begin * ROWS_PER_UNIT, min(end * ROWS_PER_UNIT, g.shape[0])):
        gs, ys = g[row], y[row]
        total, product = np.float32(0), np.float32(0)
        for i in range(gs.size):
            total = np.float32(total + gs[i])
            product = np.float32(product + np.float32(gs[i] * ys[i]))
        sums[row], products[row] = total, product
