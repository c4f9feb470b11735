"""How many codes of an operand pass a threshold, for every index k of a contraction.

Counting pairs needs no look at the pairs: if a property of a product follows from a property of each factor, the
number of products of one k that have it is (rows of a that have theirs) times (columns of b that have theirs). So
``(M + N) K`` codes are looked at for ``M N K`` products.

A threshold compares the *key* of a code (its magnitude, its lowest bit that is set ...); zero has key 0 and passes no
threshold. In a convolution a code of the image meets the kernel entries at which its window reaches it; counts are
added up over images (or over channels) first and over windows afterwards.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.mac.geometry import Convolution, reached
from fxpsim.kernels.mac.task import Task
from fxpsim.kernels.threads import inline, parallel_for

_LANES = 256  # codes per work unit across the direction that is added up
_ROWS = 16  # rows per work unit
_WORTH_SHARING = 1 << 17  # comparisons


class Key(IntEnum):
    """What is compared with the thresholds."""

    LOWEST_BIT = 0
    MAGNITUDE = 1
    POSITIVE = 2
    NEGATIVE = 3


@kernel
def _keys(codes, key, into):
    """Write the keys of a few codes."""
    if key == 0:
        for j in range(into.size):
            into[j] = codes[j] & -codes[j]
    elif key == 1:
        for j in range(into.size):
            into[j] = abs(np.int64(codes[j]))
    elif key == 2:
        for j in range(into.size):
            into[j] = codes[j] if codes[j] > 0 else 0
    else:
        for j in range(into.size):
            into[j] = -np.int64(codes[j]) if codes[j] < 0 else 0


@kernel
def _down_columns(begin, end, codes, key, thresholds, counts):
    """Count in each column of a matrix; a unit is a few columns. Short counters are emptied before they overflow."""
    for unit in range(begin, end):
        first, last = unit * 256, min((unit + 1) * 256, codes.shape[1])
        keys = np.empty(last - first, thresholds.dtype)
        short = np.zeros((thresholds.size, last - first), thresholds.dtype)
        counts[:, first:last] = 0
        for row in range(codes.shape[0]):
            _keys(codes[row, first:last], key, keys)
            for t in range(thresholds.size):
                limit, line = thresholds[t], short[t]
                for j in range(keys.size):
                    line[j] += 1 if keys[j] >= limit else 0
            if row % 32768 == 32767 or row == codes.shape[0] - 1:
                for t in range(thresholds.size):
                    total, line = counts[t, first:last], short[t]
                    for j in range(line.size):
                        total[j] += np.int64(line[j])
                        line[j] = 0


@kernel
def _along_rows(begin, end, codes, key, thresholds, counts):
    """Count in each row of a matrix; a unit is a few rows."""
    keys = np.empty(codes.shape[1], thresholds.dtype)
    for row in range(begin * 16, min(end * 16, codes.shape[0])):
        _keys(codes[row], key, keys)
        for t in range(thresholds.size):
            limit = thresholds[t]
            total = np.int32(0)
            for j in range(keys.size):
                total += np.int32(1) if keys[j] >= limit else np.int32(0)
            counts[t, row] = total


def _share(size: int) -> Any:
    return parallel_for if size >= _WORTH_SHARING else inline


def _prepared(codes: np.ndarray, thresholds: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes as int16, int32 or int64 and the thresholds as words that hold every key."""
    size = 2 if codes.dtype in (np.int8, np.uint8, np.int16) else 4 if codes.dtype in (np.uint16, np.int32) else 8
    keys = {2: np.uint16, 4: np.uint32, 8: np.int64}[size]
    return np.ascontiguousarray(codes, f"int{8 * size}"), np.array(thresholds, keys)


def down_columns(codes: np.ndarray, key: Key, thresholds: tuple[int, ...]) -> np.ndarray:
    """Return how many codes of each column pass each threshold, (thresholds, columns).

    Parameters
    ----------
    codes : ndarray, (rows, columns)
    key : Key
    thresholds : tuple of int
        Of at least 1.

    Examples
    --------
    >>> down_columns(np.array([[4, -6], [0, 1]], np.int8), Key.MAGNITUDE, (1, 5)).tolist()
    [[1, 2], [0, 1]]
    """
    matrix, limits = _prepared(codes, thresholds)
    counts = np.empty((len(thresholds), matrix.shape[1]), np.int32)
    share = _share(matrix.size * len(thresholds))
    share(_down_columns, -(-matrix.shape[1] // _LANES), matrix, int(key), limits, counts)
    return counts


def along_rows(codes: np.ndarray, key: Key, thresholds: tuple[int, ...]) -> np.ndarray:
    """Return how many codes of each row pass each threshold, (thresholds, rows); see :func:`down_columns`."""
    matrix, limits = _prepared(codes, thresholds)
    counts = np.empty((len(thresholds), matrix.shape[0]), np.int32)
    share = _share(matrix.size * len(thresholds))
    share(_along_rows, -(-matrix.shape[0] // _ROWS), matrix, int(key), limits, counts)
    return counts


def census_of_a(task: Task, group: int, key: Key, thresholds: tuple[int, ...]) -> np.ndarray:
    """Return how many rows m pass each threshold at each k, (thresholds, K); the padding passes none."""
    g = task.geometry
    if g is None:
        matrix = task.a.reshape(task.a.shape[2:])
        return (along_rows if task.transposed else down_columns)(matrix, key, thresholds)
    channels = task.a.shape[3] // g.groups
    part = task.a[..., group * channels : (group + 1) * channels]
    if task.kind == "weight_grad":
        pixels = along_rows(part.reshape(-1, channels), key, thresholds)
        return _over_taps(pixels.reshape(-1, g.images, g.height, g.width), g).reshape(len(thresholds), -1)
    images = down_columns(part.reshape(g.images, -1), key, thresholds)
    return _per_tap(images.reshape(len(thresholds), *part.shape[1:]), g, task.kind).reshape(len(thresholds), -1)


def _per_tap(counts: np.ndarray, g: Convolution, kind: str) -> np.ndarray:
    """Add up, for each tap (r, s), the positions (y, x) that it reaches: (thresholds, R, S, channels)."""
    side = 0 if kind == "forward" else 1
    columns = [counts[:, :, reached(g, 1, s)[side]].sum(axis=2) for s in range(g.kernel_width)]
    taps = [[column[:, reached(g, 0, r)[side]].sum(axis=1) for column in columns] for r in range(g.kernel_height)]
    return np.stack([np.stack(row, axis=1) for row in taps], axis=1)


def _over_taps(counts: np.ndarray, g: Convolution) -> np.ndarray:
    """Add up, for each output position, the inputs that its taps reach: (thresholds, images, OH, OW)."""
    wide = np.zeros((*counts.shape[:3], g.out_width), np.int32)
    for s in range(g.kernel_width):
        inputs, outputs = reached(g, 1, s)
        wide[..., outputs] += counts[..., inputs]
    total = np.zeros((*counts.shape[:2], g.out_height, g.out_width), np.int32)
    for r in range(g.kernel_height):
        inputs, outputs = reached(g, 0, r)
        total[:, :, outputs] += wide[:, :, inputs]
    return total
