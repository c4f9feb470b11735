"""Moves of elements; where several meet, they are added."""

from __future__ import annotations

import numpy as np

from fxpsim.kernels.jit import kernel


def put(a: np.ndarray, index: tuple[slice, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return zeros of ``shape`` with ``a`` in the places ``index``.

    >>> put(np.array([1, 2]), (slice(0, 4, 2),), (4,)).tolist()
    [1, 0, 2, 0]
    """
    out = np.zeros(shape, a.dtype)
    out[index] = a
    return out


def scatter_add(g: np.ndarray, ids: np.ndarray, rows: int) -> np.ndarray:
    """Add every row of ``g`` (the last axis) to the row of a table that its id names; integers in 64 bits.

    One after the other in the order of ``ids``, so that a float sum has one value.

    >>> scatter_add(np.array([[1, 2], [3, 4], [5, 6]]), np.array([0, 2, 0]), 3).tolist()
    [[6, 8], [0, 0], [3, 4]]
    """
    wide = g.reshape(-1, g.shape[-1])
    out = np.zeros((rows, wide.shape[1]), np.int64 if g.dtype.kind == "i" else g.dtype)
    _scatter(wide, ids.reshape(-1).astype(np.int64), out)
    return out


@kernel
def _scatter(g, ids, out):
    for i in range(ids.size):
        gs, goal = g[i], out[ids[i]]
        for c in range(gs.size):
            goal[c] += gs[c]
