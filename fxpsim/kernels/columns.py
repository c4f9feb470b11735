"""Exact statistics of the columns of a matrix of codes: sums, sums of squares and products, extremes.

The last axis of a tensor are the columns, everything before it the rows. Words have at most 16 bits, so that a
product fits 32; sums are 64 bits wide. The rows are cut into units from the shape alone and integers add in any
order, so that the result does not depend on the number of threads.
"""

from __future__ import annotations

import math

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for

UNIT_ELEMENTS = 1 << 16
WIDTH = 256


def column_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return sum, sum of squares, smallest and largest code of every column (int64 each).

    Parameters
    ----------
    x : ndarray of int8 to int32, shape (..., columns)
        Codes of at most 16 bits.

    Examples
    --------
    >>> [part.tolist() for part in column_moments(np.array([[1, -5], [3, 2]], np.int16))]
    [[4, -3], [10, 29], [1, -5], [3, 2]]
    """
    wide, step, units = _cut(x)
    sums, squares = np.zeros((2, units, wide.shape[1]), np.int64)
    low, high = np.zeros((2, units, wide.shape[1]), np.int32)
    if wide.size:
        parallel_for(_moments, units, step, wide, sums, squares, low, high)
    columns = x.shape[-1]
    smallest, largest = low.reshape(-1, columns).min(0), high.reshape(-1, columns).max(0)
    return _total(sums, columns), _total(squares, columns), smallest.astype(np.int64), largest.astype(np.int64)


def column_products(g: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the column sums of ``g`` and of ``g * x``, and the largest ``|g|`` of every column (int64 each).

    >>> [part.tolist() for part in column_products(np.array([[1, -2]], np.int16), np.array([[7, 5]], np.int16))]
    [[1, -2], [7, -10], [1, 2]]
    """
    wide, step, units = _cut(g)
    sums, products = np.zeros((2, units, wide.shape[1]), np.int64)
    high = np.zeros((units, wide.shape[1]), np.int32)
    if wide.size:
        parallel_for(_products, units, step, wide, x.reshape(wide.shape), sums, products, high)
    columns = g.shape[-1]
    return _total(sums, columns), _total(products, columns), high.reshape(-1, columns).max(0).astype(np.int64)


def _cut(x: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Join rows until they are long enough for vector instructions; return the matrix, rows a unit, and units."""
    columns = x.shape[-1]
    rows = math.prod(x.shape[:-1])
    wanted = -(-WIDTH // columns)
    repeat = next((k for k in range(wanted, min(rows, 8 * wanted) + 1) if rows % k == 0), 1)
    wide = x.reshape(rows // repeat, columns * repeat)
    step = max(1, UNIT_ELEMENTS // (columns * repeat))
    return wide, step, max(1, -(-len(wide) // step))


def _total(parts: np.ndarray, columns: int) -> np.ndarray:
    return parts.reshape(-1, columns).sum(0)


@kernel
def _moments(begin, end, step, x, sums, squares, low, high):
    for unit in range(begin, end):
        first, last = unit * step, min((unit + 1) * step, x.shape[0])
        s, q, lo, hi = sums[unit], squares[unit], low[unit], high[unit]
        for i in range(s.size):
            lo[i] = x[first, i]
            hi[i] = x[first, i]
        for row in range(first, last):
            xs = x[row]
            for i in range(xs.size):
                v = np.int32(xs[i])
                s[i] += v
                q[i] += np.int32(v * v)
                lo[i] = min(lo[i], v)
                hi[i] = max(hi[i], v)


@kernel
def _products(begin, end, step, g, x, sums, products, high):
    for unit in range(begin, end):
        s, p, hi = sums[unit], products[unit], high[unit]
        for row in range(unit * step, min((unit + 1) * step, g.shape[0])):
            gs, xs = g[row], x[row]
            for i in range(gs.size):
                v = np.int32(gs[i])
                s[i] += v
                p[i] += np.int32(v * np.int32(xs[i]))
                hi[i] = max(hi[i], v, np.int32(-v))
