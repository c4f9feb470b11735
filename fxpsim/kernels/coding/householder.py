r"""Rows mixed by Householder reflections, column tile by column tile, without the mixed tensor in memory.

Within a group of n rows, with :math:`\rho` the ratio of its small rows and ``root`` :math:`= \sqrt n`:

.. math:: t = y_1 - \frac{\sum_{j \ge 2} y_j}{\sqrt n - 1}, \qquad (H y)_1 = y_1 - (1 - 1/\sqrt n) t, \quad
    (H y)_j = y_j + t / \sqrt n

Every operation is rounded to binary64 and the sum runs from left to right, as
:class:`~fxpsim.quantizers.householder.BlockHouseholder` says in NumPy. A column depends on no other one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.coding.rounding import STOCHASTIC, carried, nearest
from fxpsim.kernels.jit import kernel
from fxpsim.kernels.memory import empty
from fxpsim.kernels.threads import parallel_for

TILE = 512


class Groups(NamedTuple):
    """Rows of all groups behind each other (the large row first), where each group starts, and its ratio."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    ratios: NDArray[np.float64]


def mixed_ranges(x: NDArray[Any], groups: Groups) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and largest element of every row of ``T x``."""
    rows, columns = x.shape
    units = -(-columns // TILE)
    found = np.empty((2, units, rows))
    parallel_for(_ranges, units, x, *groups, found)
    return found[0].min(axis=0), found[1].max(axis=0)


def code_mixed(
    x: NDArray[Any],
    groups: Groups,
    low: NDArray[np.float64],
    factor: NDArray[np.float64],
    dtype: Any,
    *,
    largest: int,
    mode: int,
    words: NDArray[np.uint32],
) -> NDArray[Any]:
    """Return the codes 0 to ``largest`` of ``T x``, with a range for every row; ``words`` has one for each element."""
    out = empty(x.shape, dtype)
    parallel_for(
        _code, -(-x.shape[1] // TILE), x, *groups, low, factor, np.array([largest, mode], np.int64), words, out
    )
    return out


def unmixed(y: NDArray[np.float64], groups: Groups, dtype: Any) -> NDArray[Any]:
    """Return ``T^-1 y``, rounded to ``dtype``."""
    out = empty(y.shape, dtype)
    parallel_for(_inverse, -(-y.shape[1] // TILE), y, *groups, out)
    return out


def unmixed_zeros(
    codes: NDArray[Any], groups: Groups, step: NDArray[np.float64], low: NDArray[np.float64], x: NDArray[Any]
) -> tuple[int, int]:
    """Return how many elements of ``T^-1 (codes * step + low)`` are zero, and how many of these are not zero in x."""
    units = -(-codes.shape[1] // TILE)
    counts = np.zeros((units, 2), np.int64)
    parallel_for(_count, units, codes, *groups, step, low, x, counts)
    zeros, vanished = counts.sum(axis=0).tolist()
    return zeros, vanished


@kernel
def _shared(x, group, first, last, ratio, t, u):
    """Set t to the reflection's common term of a group and u to ``t / root``; return the root of the group's size."""
    root = np.sqrt(float(group.size))
    xs = x[group[1], first:last]
    for i in range(xs.size):
        t[i] = np.float64(xs[i]) * ratio
    for j in range(2, group.size):
        xs = x[group[j], first:last]
        for i in range(xs.size):
            t[i] += np.float64(xs[i]) * ratio
    xs = x[group[0], first:last]
    for i in range(xs.size):
        t[i] = np.float64(xs[i]) - t[i] / (root - 1.0)
        u[i] = t[i] / root
    return root


@kernel
def _row(x, group, j, first, last, ratio, root, t, u, y):
    """Set y to row j of a group of ``T x``."""
    xs = x[group[j], first:last]
    if group.size == 1:
        for i in range(xs.size):
            y[i] = xs[i]
    elif j == 0:
        for i in range(xs.size):
            y[i] = np.float64(xs[i]) - (1.0 - 1.0 / root) * t[i]
    else:
        for i in range(xs.size):
            y[i] = np.float64(xs[i]) * ratio + u[i]


@kernel
def _ranges(begin, end, x, rows, starts, ratios, found):
    t, u, y = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    for unit in range(begin, end):
        first, last = unit * TILE, min((unit + 1) * TILE, x.shape[1])
        for g in range(ratios.size):
            group = rows[starts[g] : starts[g + 1]]
            root = _shared(x, group, first, last, ratios[g], t, u) if group.size > 1 else 1.0
            for j in range(group.size):
                _row(x, group, j, first, last, ratios[g], root, t, u, y)
                found[0, unit, group[j]], found[1, unit, group[j]] = _extremes(y[: last - first])


@kernel
def _extremes(y):
    # eight of each, so that the loop needs no order of the comparisons
    low, high = np.full(8, y[0]), np.full(8, y[0])
    whole = y.size // 8 * 8
    for i in range(0, whole, 8):
        for lane in range(8):
            v = y[i + lane]
            low[lane] = v if v < low[lane] else low[lane]
            high[lane] = v if v > high[lane] else high[lane]
    for i in range(whole, y.size):
        low[0], high[0] = min(low[0], y[i]), max(high[0], y[i])
    return low.min(), high.max()


@kernel
def _code(begin, end, x, rows, starts, ratios, low, factor, sizes, words, out):
    largest, mode = float(sizes[0]), sizes[1]
    t, u, y = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    for unit in range(begin, end):
        first, last = unit * TILE, min((unit + 1) * TILE, x.shape[1])
        for g in range(ratios.size):
            group = rows[starts[g] : starts[g + 1]]
            root = _shared(x, group, first, last, ratios[g], t, u) if group.size > 1 else 1.0
            for j in range(group.size):
                row = group[j]
                _row(x, group, j, first, last, ratios[g], root, t, u, y)
                cs, bottom, f = out[row, first:last], low[row], factor[row]
                if mode == STOCHASTIC:
                    ws = words[row * x.shape[1] + first : row * x.shape[1] + last]
                    for i in range(cs.size):
                        code = carried((y[i] - bottom) * f, np.float64(ws[i]))
                        cs[i] = np.int32(min(max(code, 0.0), largest))
                else:
                    for i in range(cs.size):
                        code = nearest((y[i] - bottom) * f, mode)
                        cs[i] = np.int32(min(max(code, 0.0), largest))


@kernel
def _row_back(ys, j, size, ratio, root, t, u, out):
    """Set out to row j of a group of ``T^-1 y``."""
    if size == 1:
        for i in range(ys.size):
            out[i] = ys[i]
    elif j == 0:
        for i in range(ys.size):
            out[i] = ys[i] - (1.0 - 1.0 / root) * t[i]
    else:
        for i in range(ys.size):
            out[i] = (ys[i] + u[i]) / ratio


@kernel
def _inverse(begin, end, y, rows, starts, ratios, out):
    t, u = np.empty(TILE), np.empty(TILE)
    for unit in range(begin, end):
        first, last = unit * TILE, min((unit + 1) * TILE, y.shape[1])
        for g in range(ratios.size):
            group = rows[starts[g] : starts[g + 1]]
            root = _shared(y, group, first, last, 1.0, t, u) if group.size > 1 else 1.0
            for j in range(group.size):
                row = group[j]
                _row_back(y[row, first:last], j, group.size, ratios[g], root, t, u, out[row, first:last])


@kernel
def _count(begin, end, codes, rows, starts, ratios, step, low, x, counts):
    t, u, back = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    most = 0
    for g in range(ratios.size):
        most = max(most, starts[g + 1] - starts[g])
    values, places = np.empty((most, TILE)), np.arange(most)
    for unit in range(begin, end):
        first, last = unit * TILE, min((unit + 1) * TILE, x.shape[1])
        zeros, vanished = 0, 0
        for g in range(ratios.size):
            group = rows[starts[g] : starts[g + 1]]
            for j in range(group.size):
                cs, s, b, vs = codes[group[j], first:last], step[group[j]], low[group[j]], values[j]
                for i in range(cs.size):
                    vs[i] = np.float64(cs[i]) * s + b
            root = _shared(values, places[: group.size], 0, last - first, 1.0, t, u) if group.size > 1 else 1.0
            for j in range(group.size):
                _row_back(values[j, : last - first], j, group.size, ratios[g], root, t, u, back)
                xs = x[group[j], first:last]
                for i in range(xs.size):
                    zeros += np.int64(back[i] == 0)
                    vanished += np.int64((back[i] == 0) & (xs[i] != 0))
        counts[unit, 0], counts[unit, 1] = zeros, vanished
