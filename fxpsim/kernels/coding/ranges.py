"""Smallest and largest element of runs, rows and columns of binary32 numbers, and whether all of them are finite.

The bits of a binary32 number, with those below the sign inverted in negative ones, are integers in the order of the
numbers (-0 just below +0), infinities and NaN at both ends. Integers compare in any order, and one comparison of the
extremes says whether everything between them is finite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for

PART = 1 << 15
BELOW_SIGN = 0x7FFFFFFF
INFINITY = 0x7F800000


def run_ranges(x: NDArray[np.float32], runs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the smallest and largest element of each of ``runs`` equal runs (C order); None unless all are finite.

    >>> low, high = run_ranges(np.array([[1, -2], [3, 4]], np.float32), 2)
    >>> low.tolist(), high.tolist()
    ([-2.0, 3.0], [1.0, 4.0])
    >>> run_ranges(np.array([1, np.nan], np.float32), 1)
    """
    bits = np.ascontiguousarray(x).reshape(-1).view(np.int32)
    width = bits.size // runs
    parts = -(-width // PART)
    found = np.empty((2, runs, parts), np.int32)
    parallel_for(_runs, runs * parts, bits, width, parts, found[0].reshape(-1), found[1].reshape(-1))
    return _numbers(found[0].min(axis=1), found[1].max(axis=1))


def column_ranges(x: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the smallest and largest element of each index of the last axis; None unless all are finite.

    >>> low, high = column_ranges(np.array([[1, -2], [3, 4]], np.float32))
    >>> low.tolist(), high.tolist()
    ([1.0, -2.0], [3.0, 4.0])
    """
    bits = np.ascontiguousarray(x).reshape(-1, x.shape[-1]).view(np.int32)
    step = max(1, PART // bits.shape[1])
    units = -(-len(bits) // step)
    found = np.empty((2, units, bits.shape[1]), np.int32)
    parallel_for(_columns, units, bits, step, found[0], found[1])
    return _numbers(found[0].min(axis=0), found[1].max(axis=0))


def _numbers(low: NDArray[np.int32], high: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if int(high.max()) >= INFINITY or int(low.min()) <= ~INFINITY:
        return None
    return _decoded(low), _decoded(high)


def _decoded(keys: NDArray[np.int32]) -> NDArray[np.float64]:
    bits = np.where(keys < 0, keys ^ np.int32(BELOW_SIGN), keys)
    return bits.view(np.float32).astype(np.float64)


@kernel
def _key(bits):
    return np.int32(bits ^ np.int32(np.int32(bits >> np.int32(31)) & np.int32(BELOW_SIGN)))


@kernel
def _runs(begin, end, bits, width, parts, low, high):
    for unit in range(begin, end):
        start = (unit // parts) * width
        xs = bits[start + (unit % parts) * PART : start + min((unit % parts + 1) * PART, width)]
        smallest = largest = _key(xs[0])
        for i in range(xs.size):
            k = _key(xs[i])
            smallest, largest = min(smallest, k), max(largest, k)
        low[unit], high[unit] = smallest, largest


@kernel
def _columns(begin, end, bits, step, low, high):
    for unit in range(begin, end):
        lo, hi = low[unit], high[unit]
        for i in range(lo.size):
            lo[i] = hi[i] = _key(bits[unit * step, i])
        for row in range(unit * step, min((unit + 1) * step, bits.shape[0])):
            xs = bits[row]
            for i in range(xs.size):
                k = _key(xs[i])
                lo[i], hi[i] = min(lo[i], k), max(hi[i], k)
