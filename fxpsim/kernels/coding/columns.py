"""Evenly spaced codes with a range for every column (index of the last axis): :mod:`.affine` across the rows.

The random word of row m and column n of M x N is that of a tensor whose columns come first, ``n * M + m``. A tile of
them is turned before it is used, so that the elements themselves are read and written once and in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.coding.rounding import STOCHASTIC, carried, nearest
from fxpsim.kernels.jit import kernel
from fxpsim.kernels.memory import empty
from fxpsim.kernels.threads import parallel_for

TILE = 1024  # elements: with what belongs to each they stay in the first-level cache


def code_columns(
    x: NDArray[np.floating[Any]],
    low: NDArray[np.float64],
    factor: NDArray[np.float64],
    zero: NDArray[np.float64],
    dtype: Any,
    *,
    limits: tuple[int, int],
    mode: int,
    words: NDArray[np.uint32],
) -> tuple[NDArray[Any], int, int]:
    """Return codes, how many stand for zero, and how many of these elements were not zero.

    ``low``, ``factor`` and ``zero`` have an entry for each index of the last axis; ``words`` has one for each element,
    columns first (anything where nothing is drawn).
    """
    out = empty(x.shape, dtype)
    wide = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    rows = max(1, TILE // wide.shape[1])
    units = -(-len(wide) // rows)
    counts = np.zeros((units, 2), np.int64)
    sizes = np.array([rows, *limits, mode], np.int64)
    parallel_for(_columns, units, wide, low, factor, zero, sizes, words, out.reshape(wide.shape), counts)
    zeros, vanished = counts.sum(axis=0).tolist()
    return out, zeros, vanished


@kernel
def _columns(begin, end, x, low, factor, zero, sizes, words, out, counts):
    rows, columns = x.shape
    step, least, largest, mode = sizes[0], float(sizes[1]), float(sizes[2]), sizes[3]
    # a few rows are one line, and what belongs to a column is repeated along it
    room = min(step, rows) * columns
    lows, factors, zeros_at = np.empty(room), np.empty(room), np.empty(room)
    for i in range(room):
        lows[i], factors[i], zeros_at[i] = low[i % columns], factor[i % columns], zero[i % columns]
    ws = np.zeros(room, np.uint32)
    for unit in range(begin, end):
        first, last = unit * step, min((unit + 1) * step, rows)
        size = (last - first) * columns
        if mode == STOCHASTIC:
            for c in range(columns):
                given = words[c * rows + first : c * rows + last]
                for i in range(given.size):
                    ws[i * columns + c] = given[i]
        xs, cs = x[first:last].reshape(size), out[first:last].reshape(size)
        zeros, vanished = np.int32(0), np.int32(0)
        if mode == STOCHASTIC:
            for i in range(size):
                code = carried((np.float64(xs[i]) - lows[i]) * factors[i], np.float64(ws[i]))
                code = min(max(code, least), largest)
                cs[i] = np.int32(code)
                zeros += np.int32(code == zeros_at[i])
                vanished += np.int32((code == zeros_at[i]) & (xs[i] != 0))
        else:
            for i in range(size):
                code = nearest((np.float64(xs[i]) - lows[i]) * factors[i], mode)
                code = min(max(code, least), largest)
                cs[i] = np.int32(code)
                zeros += np.int32(code == zeros_at[i])
                vanished += np.int32((code == zeros_at[i]) & (xs[i] != 0))
        counts[unit, 0], counts[unit, 1] = zeros, vanished
