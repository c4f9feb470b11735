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

TILE = 4096  # elements


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
    turned = np.zeros((step, columns), np.float64)
    zeros, vanished = np.empty(columns, np.int32), np.empty(columns, np.int32)
    for unit in range(begin, end):
        first, last = unit * step, min((unit + 1) * step, rows)
        if mode == STOCHASTIC:
            for c in range(columns):
                ws = words[c * rows + first : c * rows + last]
                for i in range(ws.size):
                    turned[i, c] = ws[i]
        zeros[:], vanished[:] = 0, 0
        for row in range(first, last):
            xs, cs, ws = x[row], out[row], turned[row - first]
            if mode == STOCHASTIC:
                for i in range(columns):
                    code = carried((np.float64(xs[i]) - low[i]) * factor[i], ws[i])
                    code = min(max(code, least), largest)
                    cs[i] = np.int32(code)
                    zeros[i] += np.int32(code == zero[i])
                    vanished[i] += np.int32((code == zero[i]) & (xs[i] != 0))
            else:
                for i in range(columns):
                    code = nearest((np.float64(xs[i]) - low[i]) * factor[i], mode)
                    code = min(max(code, least), largest)
                    cs[i] = np.int32(code)
                    zeros[i] += np.int32(code == zero[i])
                    vanished[i] += np.int32((code == zero[i]) & (xs[i] != 0))
        counts[unit, 0], counts[unit, 1] = zeros.sum(), vanished.sum()
