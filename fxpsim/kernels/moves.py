"""Moves of elements; where several meet, they are added."""

from __future__ import annotations

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.memory import empty
from fxpsim.kernels.threads import parallel_for


def put(a: np.ndarray, index: tuple[slice, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return zeros of ``shape`` with ``a`` in the places ``index``.

    >>> put(np.array([1, 2]), (slice(0, 4, 2),), (4,)).tolist()
    [1, 0, 2, 0]
    """
    if a.ndim != 4:
        out = np.zeros(shape, a.dtype)
        out[index] = a
        return out
    out = empty(shape, a.dtype)
    parallel_for(_put, shape[0], _steps(index, shape), a, out, out.reshape(shape[0], -1))
    return out


def take(a: np.ndarray, index: tuple[slice, ...]) -> np.ndarray:
    """Return a copy of ``a[index]``.

    >>> take(np.arange(8).reshape(1, 2, 2, 2), (slice(0, 1), slice(1, 2), slice(0, 2), slice(1, 2))).ravel().tolist()
    [5, 7]
    """
    part = a[index]
    if a.ndim != 4:
        return np.ascontiguousarray(part)
    out = empty(part.shape, a.dtype)
    parallel_for(_take, part.shape[0], _steps(index, a.shape), a, out)
    return out


def _steps(index: tuple[slice, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return start and step of every axis."""
    return np.array([part.indices(size)[::2] for part, size in zip(index, shape, strict=True)], np.int64)


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
def _take(begin, end, steps, a, out):
    """Copy pixel by pixel; a unit is an image of the result."""
    rows, columns, channels = out.shape[1:]
    left, across, apart = steps[2, 0] * a.shape[3] + steps[3, 0], steps[2, 1] * a.shape[3], steps[3, 1]
    for n in range(begin, end):
        plane, goal = a[steps[0, 0] + n * steps[0, 1]], out[n].reshape(-1)
        for i in range(rows):
            line = plane[steps[1, 0] + i * steps[1, 1]].reshape(-1)
            for j in range(columns):
                at, start = (i * columns + j) * channels, left + j * across
                pixel = goal[at : at + channels]
                if apart == 1:
                    source = line[start : start + channels]
                    for c in range(pixel.size):
                        pixel[c] = source[c]
                else:
                    for c in range(pixel.size):
                        pixel[c] = line[start + c * apart]


@kernel
def _put(begin, end, steps, a, out, flat):
    """Copy pixel by pixel into zeros; a unit is an image of the result."""
    rows, columns, channels = a.shape[1:]
    left, across, apart = steps[2, 0] * out.shape[3] + steps[3, 0], steps[2, 1] * out.shape[3], steps[3, 1]
    for n in range(begin, end):
        flat[n, :] = 0
        place = (n - steps[0, 0]) // steps[0, 1]
        if place < 0 or place >= a.shape[0] or steps[0, 0] + place * steps[0, 1] != n:
            continue
        plane, source = out[n], a[place].reshape(-1)
        for i in range(rows):
            line = plane[steps[1, 0] + i * steps[1, 1]].reshape(-1)
            for j in range(columns):
                at, start = (i * columns + j) * channels, left + j * across
                pixel = source[at : at + channels]
                if apart == 1:
                    goal = line[start : start + channels]
                    for c in range(pixel.size):
                        goal[c] = pixel[c]
                else:
                    for c in range(pixel.size):
                        line[start + c * apart] = pixel[c]


@kernel
def _scatter(g, ids, out):
    for i in range(ids.size):
        gs, goal = g[i], out[ids[i]]
        for c in range(gs.size):
            goal[c] += gs[c]
