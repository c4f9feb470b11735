"""Evenly spaced codes of runs and columns of elements, and how many of them stand for zero, in one pass.

A run is cut into units of the word generator's groups, which make their own random words: element ``i`` of the tensor
takes word ``i``. A code that stands for zero is one number per run at most (NaN where there is none), so that counting
takes one comparison.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.coding.rounding import STOCHASTIC, carried, nearest, words_of
from fxpsim.kernels.jit import kernel
from fxpsim.kernels.memory import empty
from fxpsim.kernels.random import GROUP
from fxpsim.kernels.threads import parallel_for

UNIT_GROUPS = 4
Draw = tuple[int, int, int]
"""Two halves of a random key, and which bits of a word count."""


def code_runs(
    x: NDArray[Any],
    low: NDArray[np.float64],
    factor: NDArray[np.float64],
    zero: NDArray[np.float64],
    dtype: Any,
    *,
    base: int,
    limits: tuple[int, int],
    mode: int,
    draw: Draw,
) -> tuple[NDArray[Any], int, int]:
    """Return codes, how many stand for zero, and how many of these elements were not zero.

    Parameters
    ----------
    x : ndarray of float32 or float64
        The tensor.
    low, factor, zero : ndarray of float64, (R,)
        What is subtracted, then multiplied, and the code of zero (or NaN), for each of R equal runs in C order.
    base : int
        Added after rounding.
    limits : (int, int)
        Least and largest code.
    mode : int
        Of :data:`~fxpsim.kernels.coding.rounding.MODES`.
    draw : (int, int, int)
        Key and mask of the random words; element ``i`` takes word ``i``.
    """
    out = empty(x.shape, dtype)
    units = -(-x.size // (UNIT_GROUPS * GROUP))
    counts = np.zeros((units, 2), np.int64)
    sizes = np.array([x.size // len(low), base, *limits, mode], np.int64)
    key0, key1, mask = np.uint32(draw[0]), np.uint32(draw[1]), np.uint32(draw[2])
    flat = np.ascontiguousarray(x).reshape(-1)
    parallel_for(_runs, units, flat, low, factor, zero, sizes, key0, key1, mask, out.reshape(-1), counts)
    zeros, vanished = counts.sum(axis=0).tolist()
    return out, zeros, vanished


@kernel
def _runs(begin, end, x, low, factor, zero, sizes, key0, key1, mask, out, counts):
    width, mode = sizes[0], sizes[4]
    words = np.empty(GROUP, np.uint32)
    for unit in range(begin, end):
        zeros, vanished = 0, 0
        for group in range(unit * UNIT_GROUPS, (unit + 1) * UNIT_GROUPS):
            start, stop = group * GROUP, min((group + 1) * GROUP, x.size)
            if mode == STOCHASTIC and start < stop:
                words_of(start, key0, key1, mask, words)
            while start < stop:
                run = start // width
                last = min(stop, (run + 1) * width)
                ws = words[start - group * GROUP : last - group * GROUP]
                found = _run(x[start:last], ws, low[run], factor[run], zero[run], sizes, out[start:last])
                zeros += found[0]
                vanished += found[1]
                start = last
        counts[unit, 0], counts[unit, 1] = zeros, vanished


@kernel
def _run(xs, ws, low, factor, zero, sizes, cs):
    base, least, largest, mode = float(sizes[1]), float(sizes[2]), float(sizes[3]), sizes[4]
    zeros, vanished = np.int32(0), np.int32(0)
    if mode == STOCHASTIC:
        for i in range(xs.size):
            code = carried((np.float64(xs[i]) - low) * factor, np.float64(ws[i])) + base
            code = min(max(code, least), largest)
            cs[i] = np.int32(code)
            zeros += np.int32(code == zero)
            vanished += np.int32((code == zero) & (xs[i] != 0))
    elif mode == 0:
        for i in range(xs.size):
            code = np.rint((np.float64(xs[i]) - low) * factor) + base
            code = min(max(code, least), largest)
            cs[i] = np.int32(code)
            zeros += np.int32(code == zero)
            vanished += np.int32((code == zero) & (xs[i] != 0))
    else:
        for i in range(xs.size):
            code = nearest((np.float64(xs[i]) - low) * factor, mode) + base
            code = min(max(code, least), largest)
            cs[i] = np.int32(code)
            zeros += np.int32(code == zero)
            vanished += np.int32((code == zero) & (xs[i] != 0))
    return zeros, vanished
