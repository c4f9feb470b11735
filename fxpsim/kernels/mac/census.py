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
_MOST = 512  # vectors of keys at a time: they stay in the cache, and counters are as short as the keys
_WORTH_SHARING = 1 << 19  # comparisons
_SIGNED = {
    np.dtype(source): np.dtype(target)
    for target, sources in {"int16": "bBh", "int32": "Hi", "int64": "Iq"}.items()
    for source in sources
}


Question = tuple["Key", tuple[int, ...]]  # a key and the thresholds that it may pass


class Key(IntEnum):
    """What is compared with the thresholds."""

    LOWEST_BIT = 0
    MAGNITUDE = 1
    POSITIVE = 2
    NEGATIVE = 3


@kernel
def _keys(codes, begin, end, first, last, key, top, into):
    """Write the keys of some codes, at most ``top``, from where ``into`` begins."""
    for row in range(begin, end):
        source, target = codes[row, first:last], into[row - begin, : last - first]
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


@kernel
def _matched(a, b, first, last):
    """Return how many pairs match at some k.

    ``a[i] - a[i + 1]`` codes are of class i; ``b[0] - b[i + 1]`` pass the first threshold, but not the class's own.
    """
    total = np.int64(0)
    for i in range(len(a) - 1):
        here, beyond, passing, every = a[i], a[i + 1], b[i + 1], b[0]
        for k in range(first, last):
            total += np.int64(here[k] - beyond[k]) * np.int64(every[k] - passing[k])
    return total


_DOWN = '''\
def mac_census_down_{dtype}(codes, first, last, key, top, thresholds, counts):
    """Count the keys of up to {lanes} columns that pass each threshold."""
    rows = codes.shape[0]
    keys = np.empty((min({most}, rows), {lanes}), np.{dtype})
    part = np.empty(({together}, {lanes}), np.{dtype})
    counts[:, first:last] = 0
    for i in range(0, rows, {most}):
        steps = min({most}, rows - i)
        write_keys(codes, i, i + steps, first, last, key, top, keys)
        for t0 in range(0, counts.shape[0], {together}):
            limits_at = thresholds.ctypes.data + t0 * {size}
            count(keys.ctypes.data, {lanes} * {size}, steps, limits_at, part.ctypes.data)
            for t in range(min({together}, counts.shape[0] - t0)):
                target, line = counts[t0 + t, first:last], part[t, : last - first]
                for j in range(target.size):
                    target[j] += np.int32(line[j])
'''

_ALONG = '''\
def mac_census_along_{dtype}(codes, first, last, key, top, thresholds, counts):
    """Count the keys of some rows that pass each threshold."""
    columns = codes.shape[1]
    most = {most} * {lanes}
    keys = np.empty((1, min(most, columns + {lanes})), np.{dtype})
    part = np.empty({together}, np.int32)
    counts[:, first:last] = 0
    for row in range(first, last):
        for begin in range(0, columns, most):
            end = min(begin + most, columns)
            steps = -(-(end - begin) // {lanes})
            write_keys(codes, row, row + 1, begin, end, key, top, keys)
            keys[0, end - begin : steps * {lanes}] = 0  # passes no threshold
            for t0 in range(0, counts.shape[0], {together}):
                limits_at = thresholds.ctypes.data + t0 * {size}
                count(keys.ctypes.data, {lanes} * {size}, steps, limits_at, part.ctypes.data)
                for t in range(min({together}, counts.shape[0] - t0)):
                    counts[t0 + t, row] += part[t]
'''

_CENSUS = '''\
def {name}(begin, end, codes, key, top, thresholds, counts):
    """Count the keys of each column (or row) that pass each threshold; a unit is {lanes} of them."""
    for unit in range(begin, end):
        first = unit * {lanes}
        census(codes, first, min(first + {lanes}, counts.shape[1]), key, top, thresholds, counts)
'''

_PAIRS = '''\
def {name}(begin, end, a, a_key, a_top, a_thresholds, a_counts, b, b_key, b_top, b_thresholds, b_counts, totals):
    """Count the matching pairs of {lanes} k, a unit."""
    for unit in range(begin, end):
        first = unit * {lanes}
        last = min(first + {lanes}, a_counts.shape[1])
        census_a(a, first, last, a_key, a_top, a_thresholds, a_counts)
        census_b(b, first, last, b_key, b_top, b_thresholds, b_counts)
        totals[unit] = matched(a_counts, b_counts, first, last)
'''


@cache
def _counter(dtype: str, along: bool) -> tuple[Any, int]:
    """Return what counts some columns, or rows, and the columns of a register."""
    size = np.dtype(dtype).itemsize
    lanes = cpu().vector_bits // (8 * size)
    most = min(_MOST, (1 << 8 * size) - 1)
    source = (_ALONG if along else _DOWN).format(dtype=dtype, size=size, lanes=lanes, together=_TOGETHER, most=most)
    count = count_passing(f"int{8 * size}", lanes, _TOGETHER, along)
    name = f"mac_census_{'along' if along else 'down'}_{dtype}"
    return compile_source(name, source, {"np": np, "count": count, "write_keys": _keys}), lanes


@cache
def _census(dtype: str, along: bool) -> tuple[Any, int]:
    census, lanes = _counter(dtype, along)
    name = f"mac_census_of_{'rows' if along else 'columns'}_{dtype}"
    return compile_source(name, _CENSUS.format(name=name, lanes=lanes), {"census": census}), lanes


@cache
def _pairs(a_dtype: str, a_along: bool, b_dtype: str) -> tuple[Any, int]:
    census_a, lanes = _counter(a_dtype, a_along)
    name = f"mac_pairs_{a_dtype}_{'along' if a_along else 'down'}_{b_dtype}"
    scope = {"census_a": census_a, "census_b": _counter(b_dtype, True)[0], "matched": _matched}
    return compile_source(name, _PAIRS.format(name=name, lanes=lanes), scope), lanes


@lru_cache(maxsize=256)
def _limits(item_size: int, key: Key, thresholds: tuple[int, ...]) -> tuple[np.ndarray, str, int]:
    """Return the thresholds, filled up, in the shortest type that tells keys apart; its name; where it cuts keys."""
    last = max(thresholds)
    # between the lowest bits 128 and 256 there is none
    short = last <= 255 or (key is Key.LOWEST_BIT and last == 256)
    key_type = np.dtype("uint8" if short else f"uint{8 * item_size}")
    top = int(np.iinfo(key_type).max) >> (key_type == np.uint64)  # the keys of int64 are below 2^63
    limits = np.full(-(-len(thresholds) // _TOGETHER) * _TOGETHER, top, key_type)
    limits[: len(thresholds)] = np.minimum(thresholds, top)
    return limits, key_type.name, top


def _counted(codes: np.ndarray, key: Key, thresholds: tuple[int, ...], *, along: bool) -> np.ndarray:
    matrix = np.ascontiguousarray(codes, _SIGNED[codes.dtype])
    limits, type_name, top = _limits(matrix.itemsize, key, thresholds)
    run, lanes = _census(type_name, along)
    counts = np.empty((len(thresholds), matrix.shape[0 if along else 1]), np.int32)
    share = parallel_for if matrix.size * limits.size >= _WORTH_SHARING else inline
    share(run, -(-counts.shape[1] // lanes), matrix, int(key), top, limits, counts)
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


def matches(task: Task, group: int, a: Question, b: Question) -> int:
    """Return how many pairs of a code of a and one of b match, over all k.

    Parameters
    ----------
    task : Task
    group : int
    a : Key and thresholds
        The classes of a: a code is of class i if it passes the threshold i, but not the next one.
    b : Key and thresholds
        A code matches class i if it passes the first threshold, but not the threshold i + 1.
    """
    if task.geometry is not None:
        of_a, of_b = census_of_a(task, group, *a), along_rows(task.b[group], *b)
        return int(_matched(of_a, of_b, 0, of_a.shape[1]))
    matrices = (task.a.reshape(task.a.shape[2:]), task.b[group])
    left, right = (np.ascontiguousarray(codes, _SIGNED[codes.dtype]) for codes in matrices)
    (a_limits, a_type, a_top), (b_limits, b_type, b_top) = _limits(left.itemsize, *a), _limits(right.itemsize, *b)
    run, lanes = _pairs(a_type, task.transposed, b_type)
    counts = [np.empty((len(thresholds), task.k), np.int32) for _, thresholds in (a, b)]
    totals = np.empty(-(-task.k // lanes), np.int64)
    of_a, of_b = (left, int(a[0]), a_top, a_limits, counts[0]), (right, int(b[0]), b_top, b_limits, counts[1])
    share = parallel_for if left.size * a_limits.size + right.size * b_limits.size >= _WORTH_SHARING else inline
    share(run, totals.size, *of_a, *of_b, totals)
    return int(totals.sum())


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
