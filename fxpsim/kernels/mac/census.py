"""How many codes of an operand pass a threshold, for every index k of a contraction.

Counting pairs needs no look at the pairs: if a property of a product follows from a property of each factor, the
number of products of one k that have it is (rows of a that have theirs) times (columns of b that have theirs). So
``(M + N) K`` codes are looked at for ``M N K`` products.

A threshold compares the *key* of a code (its magnitude, its lowest bit that is set ...); zero has key 0 and passes no
threshold. In a convolution a code of the image meets the kernel entries at which its window reaches it; counts are
added up over images (or over channels) first and over windows afterwards.
"""

from enum import IntEnum
from functools import cache, lru_cache
from typing import Any

import numpy as np

from fxpsim.kernels.jit import compile_source, kernel
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac.geometry import Convolution, reached
from fxpsim.kernels.mac.moves import count_passing
from fxpsim.kernels.mac.task import Task
from fxpsim.kernels.threads import inline, parallel_for

_TOGETHER = 8  # thresholds whose counters share the registers
_MOST = 32768  # counters are as short as the keys
_WORTH_SHARING = 1 << 23  # comparisons
_SIGNED = {
    np.dtype(source): np.dtype(target)
    for target, sources in {"int16": "bBh", "int32": "Hi", "int64": "Iq"}.items()
    for source in sources
}


class Key(IntEnum):
    """What is compared with the thresholds."""

    LOWEST_BIT = 0
    MAGNITUDE = 1
    POSITIVE = 2
    NEGATIVE = 3


@kernel
def _keys(begin, end, codes, key, top, into):
    """Write the keys of some rows of a matrix, at most ``top``; ``into`` may be wider."""
    for row in range(begin, end):
        source, target = codes[row], into[row, : codes.shape[1]]
        if key == 0:
            for j in range(target.size):
                target[j] = min(source[j] & -source[j], top)
        elif key == 1:
            for j in range(target.size):
                target[j] = min(source[j] if source[j] >= 0 else -source[j], top)
        elif key == 2:
            for j in range(target.size):
                target[j] = min(source[j] if source[j] > 0 else 0, top)
        else:
            for j in range(target.size):
                target[j] = min(-source[j] if source[j] < 0 else 0, top)


_DOWN = '''\
def mac_census_down_{dtype}(begin, end, keys, thresholds, counts):
    """Count the keys of each column that pass each threshold; a unit is {lanes} columns."""
    pitch = keys.shape[1] * {size}
    part = np.empty(({together}, {lanes}), np.{dtype})
    for unit in range(begin, end):
        lanes = min({lanes}, counts.shape[1] - unit * {lanes})
        for t0 in range(0, counts.shape[0], {together}):
            limits_at = thresholds.ctypes.data + t0 * {size}
            for i in range(0, keys.shape[0], {most}):
                at = keys.ctypes.data + unit * {lanes} * {size} + i * pitch
                count(at, pitch, min({most}, keys.shape[0] - i), limits_at, part.ctypes.data)
                for t in range(min({together}, counts.shape[0] - t0)):
                    target, line = counts[t0 + t, unit * {lanes} : unit * {lanes} + lanes], part[t, :lanes]
                    for j in range(target.size):
                        target[j] += np.int32(line[j])
'''

_ALONG = '''\
def mac_census_along_{dtype}(begin, end, keys, thresholds, counts):
    """Count the keys of each row that pass each threshold; a unit is a row."""
    steps = keys.shape[1] // {lanes}
    part = np.empty({together}, np.int32)
    for row in range(begin, end):
        for t0 in range(0, counts.shape[0], {together}):
            limits_at = thresholds.ctypes.data + t0 * {size}
            for i in range(0, steps, {most}):
                at = keys.ctypes.data + (row * steps + i) * {lanes} * {size}
                count(at, {lanes} * {size}, min({most}, steps - i), limits_at, part.ctypes.data)
                for t in range(min({together}, counts.shape[0] - t0)):
                    counts[t0 + t, row] += part[t]
'''


@cache
def _compiled(dtype: str, along: bool) -> Any:
    size = np.dtype(dtype).itemsize
    lanes = cpu().vector_bits // (8 * size)
    most = min(_MOST, (1 << 8 * size) - 1)
    source = (_ALONG if along else _DOWN).format(dtype=dtype, size=size, lanes=lanes, together=_TOGETHER, most=most)
    count = count_passing(f"int{8 * size}", lanes, _TOGETHER, along)
    name = f"mac_census_{'along' if along else 'down'}_{dtype}"
    return compile_source(name, source, {"np": np, "count": count}), lanes


@lru_cache(maxsize=256)
def _limits(item_size: int, key: Key, thresholds: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Return the thresholds, filled up, in the shortest type that tells keys apart, and where longer keys are cut."""
    last = max(thresholds)
    # between the lowest bits 128 and 256 there is none
    short = last <= 255 or (key is Key.LOWEST_BIT and last == 256)
    key_type = np.dtype("uint8" if short else f"uint{8 * item_size}")
    top = int(np.iinfo(key_type).max) >> (key_type == np.uint64)  # the keys of int64 are below 2^63
    limits = np.full(-(-len(thresholds) // _TOGETHER) * _TOGETHER, top, key_type)
    limits[: len(thresholds)] = np.minimum(thresholds, top)
    return limits, top


def _counted(codes: np.ndarray, key: Key, thresholds: tuple[int, ...], *, along: bool) -> np.ndarray:
    matrix = np.ascontiguousarray(codes, _SIGNED[codes.dtype])
    rows, columns = matrix.shape
    limits, top = _limits(matrix.itemsize, key, thresholds)
    run, lanes = _compiled(limits.dtype.name, along)
    width = -(-columns // lanes) * lanes
    keys = (np.empty if width == columns else np.zeros)((rows, width), limits.dtype)
    counts = np.zeros((len(thresholds), rows if along else columns), np.int32)
    share = parallel_for if keys.size * limits.size >= _WORTH_SHARING else inline
    share(_keys, rows, matrix, int(key), top, keys)
    share(run, rows if along else width // lanes, keys, limits, counts)
    return counts


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
    return _counted(codes, key, thresholds, along=False)


def along_rows(codes: np.ndarray, key: Key, thresholds: tuple[int, ...]) -> np.ndarray:
    """Return how many codes of each row pass each threshold, (thresholds, rows); see :func:`down_columns`."""
    return _counted(codes, key, thresholds, along=True)


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
