"""Codes with an exponent for every block: largest magnitudes in one pass, codes and counts in another.

A tensor is seen as (rows, positions, columns). A block takes ``tall`` rows and ``wide`` columns at one position; the
last ones may be shorter. The random word of an element is that of its index, in the tensor's order or in the order
(rows, columns, positions).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.coding.rounding import STOCHASTIC, carried, nearest
from fxpsim.kernels.jit import kernel
from fxpsim.kernels.memory import empty
from fxpsim.kernels.threads import parallel_for

TILE = 1024  # elements of a row that are worked off at a time: what is spread over them stays in the first-level cache
MAGNITUDE = 0x7FFFFFFF
SHORT, SHORT_BITS = 125, 16  # exponents and codes of binary32 that leave room for what lies above the last code


def magnitude_bits(x: NDArray[np.float32], block: tuple[int, int]) -> NDArray[np.int32]:
    """Return the bits of the largest magnitude of every block of a tensor (rows, positions, columns).

    >>> x = np.array([[[1.0, -2.0, 4.0]]], np.float32)
    >>> magnitude_bits(x, (1, 2)).view(np.float32).tolist()
    [[[2.0, 4.0]]]
    """
    rows, positions, columns = x.shape
    out = np.empty((-(-rows // block[0]), positions, -(-columns // block[1])), np.int32)
    bits = np.ascontiguousarray(x).view(np.int32)
    step = max(1, TILE // columns)
    parts = -(-positions // step)
    parallel_for(_magnitudes, len(out) * parts, bits, np.array([*block, step, parts], np.int64), out)
    return out


def code_blocks(
    x: NDArray[np.floating[Any]],
    block: tuple[int, int],
    shift: NDArray[np.integer],
    bits: NDArray[np.integer],
    dtype: Any,
    *,
    mode: int,
    words: NDArray[np.uint32],
    turned: bool = False,
) -> tuple[NDArray[Any], tuple[int, int, int]]:
    """Return codes, and how many are zero, zero but not of a zero, and more than half a step beyond the last code.

    Parameters
    ----------
    x : ndarray (rows, positions, columns)
    block : (int, int)
        Rows and columns of a block.
    shift, bits : ndarray (ceil(rows / block[0]), positions, ceil(columns / block[1]))
        Binary exponent of a block's step, and the word length of its codes, which are symmetric (0: a block of zeros).
    dtype : type
        Of the codes.
    mode : int
        Of :data:`~fxpsim.kernels.coding.rounding.MODES`.
    words : ndarray of uint32
        A word for each element; anything where nothing is drawn.
    turned : bool
        Whether words are in the order (rows, columns, positions).
    """
    out = empty(x.shape, dtype)
    rows, positions, columns = x.shape
    step = max(1, TILE // columns)
    parts = -(-positions // step)
    units = -(-rows // block[0]) * parts
    counts = np.zeros((units, 3), np.int64)
    # what multiplies the elements, by the shift, and the last code, by the bits
    least, most = int(shift.min()), int(shift.max())
    # a power of two takes binary32 to binary32, and rounding half to even asks for no more
    fits = max(-least, most) <= SHORT and int(bits.max()) <= SHORT_BITS
    short = x.dtype == np.float32 and mode == 0 and fits
    number = np.float32 if short else np.float64
    factors = np.ldexp(1.0, -np.arange(least, most + 1)).astype(number)
    limits = np.array([0.0, *(2.0 ** np.arange(int(bits.max())) - 1)], number)
    sizes = np.array([*block, step, parts, mode, turned], np.int64)
    tables = shift.astype(np.int32) - np.int32(least), bits.astype(np.uint8), factors, limits
    parallel_for(_code, units, np.ascontiguousarray(x), *tables, sizes, words, out, counts)
    zeros, vanished, saturated = counts.sum(axis=0).tolist()
    return out, (zeros, vanished, saturated)


@kernel
def _magnitudes(begin, end, bits, sizes, out):
    tall, wide, step, parts = sizes[0], sizes[1], sizes[2], sizes[3]
    rows, positions, columns = bits.shape
    largest = np.empty(step * columns, np.int32)
    for unit in range(begin, end):
        block, first = unit // parts, (unit % parts) * step
        last = min(first + step, positions)
        most = largest[: (last - first) * columns]
        most[:] = 0
        for r in range(block * tall, min((block + 1) * tall, rows)):
            xs = bits[r, first:last].reshape(most.size)
            for i in range(most.size):
                most[i] = max(most[i], np.int32(xs[i] & np.int32(MAGNITUDE)))
        found = out[block, first:last]
        if wide == 4 and columns % 4 == 0:  # written out: several blocks at a time
            tops = found.reshape(found.size)
            for b in range(tops.size):
                tops[b] = max(most[4 * b], most[4 * b + 1], most[4 * b + 2], most[4 * b + 3])
        else:
            for p in range(found.shape[0]):
                for b in range(found.shape[1]):
                    top = np.int32(0)
                    for i in range(p * columns + b * wide, p * columns + min((b + 1) * wide, columns)):
                        top = max(top, most[i])
                    found[p, b] = top


@kernel
def _spread(lines, table, wide, columns, out):
    """Look every entry of a few lines up and repeat what it says ``wide`` times."""
    if wide == 4 and columns % 4 == 0:
        flat = lines.reshape(lines.size)
        for b in range(flat.size):
            v = table[flat[b]]
            out[4 * b], out[4 * b + 1], out[4 * b + 2], out[4 * b + 3] = v, v, v, v
    else:
        for p in range(lines.shape[0]):
            for b in range(lines.shape[1]):
                v = table[lines[p, b]]
                for i in range(p * columns + b * wide, p * columns + min((b + 1) * wide, columns)):
                    out[i] = v


@kernel
def _code(begin, end, x, shift, bits, factors, limits, sizes, words, out, counts):
    tall, wide, step, parts, mode, turned = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]
    rows, positions, columns = x.shape
    room = min(step, positions) * columns
    fs, tops, mine = np.empty(room, factors.dtype), np.empty(room, limits.dtype), np.empty(room, np.uint32)
    for unit in range(begin, end):
        block, first = unit // parts, (unit % parts) * step
        last = min(first + step, positions)
        size = (last - first) * columns
        _spread(shift[block, first:last], factors, wide, columns, fs)
        _spread(bits[block, first:last], limits, wide, columns, tops)
        zeros, vanished, saturated = 0, 0, 0
        for r in range(block * tall, min((block + 1) * tall, rows)):
            ws = mine[:size]
            if mode == STOCHASTIC and turned:
                for c in range(columns):
                    given = words[(r * columns + c) * positions + first : (r * columns + c) * positions + last]
                    for i in range(given.size):
                        ws[i * columns + c] = given[i]
            elif mode == STOCHASTIC:
                start = (r * positions + first) * columns
                ws = words[start : start + size]
            xs, cs = x[r, first:last].reshape(size), out[r, first:last].reshape(size)
            found = _row(xs, fs, tops, mode, ws, cs)
            zeros += found[0]
            vanished += found[1]
            saturated += found[2]
        counts[unit, 0], counts[unit, 1], counts[unit, 2] = zeros, vanished, saturated


@kernel
def _row(xs, fs, tops, mode, ws, cs):
    zeros, vanished, saturated = np.int32(0), np.int32(0), np.int32(0)
    if mode == STOCHASTIC:
        for i in range(xs.size):
            y = np.float64(xs[i]) * fs[i]
            code = min(max(carried(y, np.float64(ws[i])), -tops[i]), tops[i])
            cs[i] = np.int32(code)
            zeros += np.int32(code == 0)
            vanished += np.int32((code == 0) & (xs[i] != 0))
            saturated += np.int32((abs(y) > tops[i] + 0.5) & (tops[i] > 0))
    elif mode == 0:
        for i in range(xs.size):
            y = xs[i] * fs[i]
            code = min(max(np.rint(y), -tops[i]), tops[i])
            cs[i] = np.int32(code)
            zeros += np.int32(code == 0)
            vanished += np.int32((code == 0) & (xs[i] != 0))
            saturated += np.int32((abs(y) - tops[i] > 0.5) & (tops[i] > 0))
    else:
        for i in range(xs.size):
            y = np.float64(xs[i]) * fs[i]
            code = min(max(nearest(y, mode), -tops[i]), tops[i])
            cs[i] = np.int32(code)
            zeros += np.int32(code == 0)
            vanished += np.int32((code == 0) & (xs[i] != 0))
            saturated += np.int32((abs(y) > tops[i] + 0.5) & (tops[i] > 0))
    return zeros, vanished, saturated
