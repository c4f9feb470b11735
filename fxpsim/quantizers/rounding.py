r"""Rounding of whole tensors to codes, by rows and by blocks.

.. math:: c = \mathrm{clip}(\mathrm{round}((x - l) \cdot f) + b, \; c_{min}, c_{max})

One subtraction and one product in binary64, each correctly rounded; the rounding itself is exact. For powers of two
``f`` and ``l = 0`` the whole is exact: the result is that of an integer shift. Stochastic rounding adds 32 random bits
below the last place (:meth:`fxpsim.numerics.RandomBits.words`, element ``i`` takes word ``i``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.cast import storage_dtype
from fxpsim.kernels.jit import kernel
from fxpsim.kernels.random import GROUP, fill_words
from fxpsim.kernels.threads import parallel_for
from fxpsim.numerics import FixedFormat, RandomBits, Rounding

UNIT = 8192
WORDS = 4294967296.0  # how many random words there are
_MODES = {Rounding.HALF_EVEN: 0, Rounding.HALF_AWAY: 1, Rounding.HALF_UP: 2, Rounding.STOCHASTIC: 3}


def random_words(random: RandomBits, count: int) -> NDArray[np.uint32]:
    """Return words 0 to ``count`` of a stream: :meth:`RandomBits.words`, by a kernel.

    >>> source = RandomBits(seed=3)
    >>> bool((random_words(source, 5000) == source.words(5000)).all())
    True
    """
    groups = -(-count // GROUP)
    words = np.empty(groups * GROUP, np.uint32)
    key0, key1 = random.key
    parallel_for(_fill, groups, key0, key1, np.uint32(random.mask), words)
    return words[:count]


def round_rows(
    x: NDArray[np.floating[Any]],
    low: NDArray[np.float64],
    factor: NDArray[np.float64],
    word: FixedFormat,
    *,
    base: int = 0,
    rounding: Rounding,
    random: RandomBits | None = None,
    limits: tuple[int, int] | None = None,
) -> NDArray[Any]:
    """Return the codes of a tensor whose rows (axis 0, or equal runs in C order) share a low end and a factor.

    Parameters
    ----------
    x : ndarray of float32 or float64
        The tensor.
    low, factor : ndarray of float64, (R,)
        Subtracted first, then multiplied, for each of R equal runs of elements.
    word : FixedFormat
        The codes' word.
    base : int
        Added to every code after rounding.
    rounding : Rounding
        ``half_even``, ``half_away``, ``half_up`` or ``stochastic``.
    random : RandomBits, optional
        For ``stochastic``.
    limits : (int, int), optional
        Least and largest code, if not those of the word.
    """
    out = np.empty(x.shape, storage_dtype(word.word_bits, word.signed))
    least, largest = limits or (word.min_code, word.max_code)
    words = random_words(random, x.size) if random is not None else np.zeros(1, np.uint32)
    sizes = np.array([x.size // len(low), base, least, largest, _MODES[rounding]], np.int64)
    parallel_for(
        _rows, -(-x.size // UNIT), np.ascontiguousarray(x).reshape(-1), low, factor, sizes, words, out.reshape(-1)
    )
    return out


def round_blocks(
    x: NDArray[np.floating[Any]],
    block: tuple[int, int],
    factor: NDArray[np.float64],
    largest: NDArray[np.int64],
    word: FixedFormat,
    *,
    rounding: Rounding,
    random: RandomBits | None = None,
) -> NDArray[Any]:
    """Return the codes of a tensor (R, C, P) in blocks over the first two axes, at each position of the third.

    ``factor`` and ``largest`` (the symmetric limit of the codes; 0 makes a block zero) have one entry per block:
    (ceil(R / block[0]), ceil(C / block[1]), P).
    """
    out = np.empty(x.shape, storage_dtype(word.word_bits, word.signed))
    words = random_words(random, x.size) if random is not None else np.zeros(1, np.uint32)
    sizes = np.array([block[0], block[1], _MODES[rounding]], np.int64)
    parallel_for(_blocks, x.shape[0], np.ascontiguousarray(x), factor, largest, sizes, words, out)
    return out


@kernel
def _fill(begin, end, key0, key1, mask, words):
    for group in range(begin, end):
        part = words[group * GROUP : (group + 1) * GROUP]
        fill_words(group * GROUP, key0, key1, part)
        for i in range(part.size):
            part[i] = part[i] & mask


@kernel
def _stochastic(y, word):
    # The carry out of 32 random bits below the last place, with both sides of each comparison exact: of a negative
    # number the part below the next whole number toward zero is exact, of a positive one that above it.
    magnitude = abs(y)
    whole = np.floor(magnitude)
    part = (magnitude - whole) * WORDS
    if y >= 0:
        return whole + 1.0 if part >= WORDS - word else whole
    return -(whole + 1.0) if part > word else -whole


@kernel
def _nearest(y, mode):
    if mode == 0:
        return np.rint(y)
    magnitude = abs(y)
    whole = np.floor(magnitude)
    part = magnitude - whole
    away = part >= 0.5 if mode == 1 or y >= 0 else part > 0.5
    whole = whole + 1.0 if away else whole
    return whole if y >= 0 else -whole


@kernel
def _rows(begin, end, x, low, factor, sizes, words, out):
    width, base, least, largest, mode = sizes[0], sizes[1], float(sizes[2]), float(sizes[3]), sizes[4]
    start, stop = begin * UNIT, min(end * UNIT, x.size)
    while start < stop:
        row = start // width
        last = min(stop, (row + 1) * width)
        xs, cs = x[start:last], out[start:last]
        first, f, b = low[row], factor[row], float(base)
        if mode == 3:
            ws = words[start:last]
            for i in range(xs.size):
                code = _stochastic((np.float64(xs[i]) - first) * f, np.float64(ws[i])) + b
                cs[i] = np.int32(min(max(code, least), largest))
        else:
            for i in range(xs.size):
                code = _nearest((np.float64(xs[i]) - first) * f, mode) + b
                cs[i] = np.int32(min(max(code, least), largest))
        start = last


@kernel
def _blocks(begin, end, x, factor, largest, sizes, words, out):
    tall, wide, mode = sizes[0], sizes[1], sizes[2]
    columns, depth = x.shape[1], x.shape[2]
    width = columns * depth
    # factor and limit of every element of a row, so that the loop over the row has no blocks in it
    fs, tops = np.empty(width), np.empty(width)
    filled = -1
    for r in range(begin, end):
        if r // tall != filled:
            filled = r // tall
            for c in range(columns):
                of_block, limit = factor[filled, c // wide], largest[filled, c // wide]
                for i in range(depth):
                    fs[c * depth + i], tops[c * depth + i] = of_block[i], limit[i]
        xs, cs = x[r].reshape(width), out[r].reshape(width)
        if mode == 3:
            ws = words[r * width : (r + 1) * width]
            for i in range(width):
                code = _stochastic(np.float64(xs[i]) * fs[i], np.float64(ws[i]))
                cs[i] = np.int32(min(max(code, -tops[i]), tops[i]))
        else:
            for i in range(width):
                code = _nearest(np.float64(xs[i]) * fs[i], mode)
                cs[i] = np.int32(min(max(code, -tops[i]), tops[i]))
