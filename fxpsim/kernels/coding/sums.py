"""Sums of codes along the first or the last axis, in integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for

UNIT = 1 << 14


def sum_first(codes: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return the sums over the first axis, which keeps length 1.

    >>> sum_first(np.array([[1, 2], [3, -4]], np.int8), np.int32)
    array([[ 4, -2]], dtype=int32)
    """
    lines = np.ascontiguousarray(codes).reshape(len(codes), -1)
    out = np.zeros((1, *codes.shape[1:]), dtype)
    parallel_for(_first, -(-lines.shape[1] // UNIT), lines, out.reshape(-1))
    return out


def sum_last(codes: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return the sums over the last axis, which keeps length 1.

    >>> sum_last(np.array([[1, 2], [3, -4]], np.int8), np.int32)
    array([[ 3],
           [-1]], dtype=int32)
    """
    lines = np.ascontiguousarray(codes).reshape(-1, codes.shape[-1])
    out = np.empty((*codes.shape[:-1], 1), dtype)
    step = max(1, UNIT // lines.shape[1])
    parallel_for(_last, -(-len(lines) // step), lines, step, out.reshape(-1))
    return out


@kernel
def _first(begin, end, lines, out):
    for unit in range(begin, end):
        ys = out[unit * UNIT : (unit + 1) * UNIT]
        for row in range(lines.shape[0]):
            xs = lines[row, unit * UNIT : unit * UNIT + ys.size]
            for i in range(xs.size):
                ys[i] += xs[i]


@kernel
def _last(begin, end, lines, step, out):
    for row in range(begin * step, min(end * step, lines.shape[0])):
        xs = lines[row]
        total = np.int64(0)
        for i in range(xs.size):
            total += np.int64(xs[i])
        out[row] = total
