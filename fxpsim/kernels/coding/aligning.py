"""Codes with an exponent per block, moved to one binary point: which exponents occur, and the shifted codes.

A tensor is seen as (outer, rows, positions, columns). A block takes some rows and some columns at one outer index and
one position; the last ones may be shorter.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.memory import empty
from fxpsim.kernels.threads import parallel_for

TILE = 2048  # elements of a row that are worked off at a time
NOWHERE = 1 << 20


class View(NamedTuple):
    """Shape of a tensor as the kernels see it, and rows and columns of a block."""

    shape: tuple[int, int, int, int]
    block: tuple[int, int]

    @property
    def blocks(self) -> tuple[int, int, int, int]:
        """How many blocks there are along each axis."""
        outer, rows, positions, columns = self.shape
        return outer, -(-rows // self.block[0]), positions, -(-columns // self.block[1])


class Span(NamedTuple):
    """Least and largest exponent among codes that are not zero, and the largest magnitude of a code."""

    least: int
    most: int
    largest: int


def view_of(shape: tuple[int, ...], blocks: tuple[int, ...]) -> View | None:
    """Return how to see a tensor whose axes are cut into blocks of these lengths; None where there is no such view.

    Axes are joined where both are cut into single elements, and where the second one is not cut at all.

    >>> view_of((32, 8, 8, 16), (4, 1, 1, 4))
    View(shape=(1, 32, 64, 16), block=(4, 4))
    >>> view_of((3, 3, 16, 8), (1, 1, 4, 1)), view_of((5, 7), (1, 7))
    (View(shape=(9, 16, 1, 8), block=(4, 1)), View(shape=(1, 1, 1, 35), block=(1, 7)))
    >>> view_of((4, 6, 8), (2, 3, 4))
    """
    axes: list[tuple[int, int]] = []
    for count, length in zip(shape, blocks, strict=True):
        if axes and (length >= count or axes[-1][1] == length == 1):
            before = axes.pop()
            axes.append((before[0] * count, before[1] * min(length, count)))
        else:
            axes.append((count, min(length, count)))
    *before, (columns, wide) = axes
    counts = [count for count, _ in before]
    match [length > 1 for _, length in before]:
        case []:
            outer, rows, positions = 1, 1, 1
        case [False]:
            outer, rows, positions = 1, 1, counts[0]
        case [True]:
            outer, rows, positions = 1, counts[0], 1
        case [False, True]:
            outer, rows, positions = counts[0], counts[1], 1
        case [True, False]:
            outer, rows, positions = 1, counts[0], counts[1]
        case [False, True, False]:
            outer, rows, positions = counts
        case _:
            return None
    return View((outer, rows, positions, columns), (max((length for _, length in before), default=1), wide))


def span_of(codes: NDArray[np.integer], exponents: NDArray[np.integer], view: View) -> Span | None:
    """Return the span of the exponents; None if all codes are zero."""
    given, places, sizes, units = _arguments(codes, exponents, view)
    found = np.empty((units, 3), np.int32)
    parallel_for(_span, units, given, places, sizes, found)
    least, most, largest = int(found[:, 0].min()), int(found[:, 1].max()), int(found[:, 2].max())
    return Span(least, most, largest) if largest else None


def aligned(
    codes: NDArray[np.integer], exponents: NDArray[np.integer], view: View, span: Span, window: tuple[int, int]
) -> NDArray[np.integer]:
    """Return ``codes * 2**(exponent - low)`` for exponents from low to high, the ``window``, and zero for all others.

    In the narrowest signed integers that hold them, of at most 63 bits.
    """
    bits = span.largest.bit_length() + window[1] - window[0]
    assert bits <= 63, "wider spreads take more than one window"
    dtype = np.int8 if bits < 8 else np.int16 if bits < 16 else np.int32 if bits < 32 else np.int64
    given, places, sizes, units = _arguments(codes, exponents, view)
    out = empty(codes.shape, dtype)
    parallel_for(_align, units, given, places, sizes, *window, out.reshape(given.shape))
    return out


def split(
    codes: NDArray[np.integer], exponents: NDArray[np.integer], view: View, span: Span, low_bits: int
) -> tuple[NDArray[np.integer], NDArray[np.int16]]:
    """Return the aligned codes of a whole span as two arrays: shifted right by ``low_bits``, and the low bits.

    At most 15 low bits, and as many above them with their sign.
    """
    high_bits = span.largest.bit_length() + span.most - span.least - low_bits
    assert 0 < low_bits <= 15
    assert high_bits <= 15
    given, places, sizes, units = _arguments(codes, exponents, view)
    high, low = empty(codes.shape, np.int8 if high_bits < 8 else np.int16), empty(codes.shape, np.int16)
    outs = high.reshape(given.shape), low.reshape(given.shape)
    parallel_for(_split, units, given, places, sizes, span.least, span.most, low_bits, *outs)
    return high, low


def _arguments(
    codes: NDArray[np.integer], exponents: NDArray[np.integer], view: View
) -> tuple[NDArray[np.integer], NDArray[np.int32], NDArray[np.int64], int]:
    outer, blocks, positions, _ = view.blocks
    step = max(1, TILE // view.shape[3])
    parts = -(-positions // step)
    places = np.ascontiguousarray(exponents, np.int32).reshape(view.blocks)
    sizes = np.array([*view.block, step, parts, blocks], np.int64)
    return np.ascontiguousarray(codes).reshape(view.shape), places, sizes, math.prod((outer, blocks, parts))


@kernel
def _spread(lines, wide, columns, out):
    """Repeat every entry of a few lines ``wide`` times."""
    for p in range(lines.shape[0]):
        for b in range(lines.shape[1]):
            v = lines[p, b]
            for i in range(p * columns + b * wide, p * columns + min((b + 1) * wide, columns)):
                out[i] = v


@kernel
def _span(begin, end, codes, exponents, sizes, found):
    tall, wide, step, parts, blocks = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
    rows, positions, columns = codes.shape[1], codes.shape[2], codes.shape[3]
    es = np.empty(min(step, positions) * columns, np.int32)
    for unit in range(begin, end):
        outer, block, first = unit // (blocks * parts), unit // parts % blocks, unit % parts * step
        last = min(first + step, positions)
        _spread(exponents[outer, block, first:last], wide, columns, es)
        least, most, largest = np.int32(NOWHERE), np.int32(-NOWHERE), np.int32(0)
        for r in range(block * tall, min((block + 1) * tall, rows)):
            xs = codes[outer, r, first:last].reshape((last - first) * columns)
            for i in range(xs.size):
                magnitude = np.int32(abs(np.int32(xs[i])))
                largest = max(largest, magnitude)
                least = min(least, es[i] if magnitude != 0 else np.int32(NOWHERE))
                most = max(most, es[i] if magnitude != 0 else np.int32(-NOWHERE))
        found[unit, 0], found[unit, 1], found[unit, 2] = least, most, largest


@kernel
def _factors(lines, wide, columns, low, high, out):
    """Set what moves the codes of every element to the place ``low``; zero for exponents out of the window."""
    for p in range(lines.shape[0]):
        for b in range(lines.shape[1]):
            e = lines[p, b]
            v = np.int64(1) << np.int64(e - low) if low <= e <= high else np.int64(0)
            for i in range(p * columns + b * wide, p * columns + min((b + 1) * wide, columns)):
                out[i] = v


@kernel
def _align(begin, end, codes, exponents, sizes, low, high, out):
    tall, wide, step, parts, blocks = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
    rows, positions, columns = codes.shape[1], codes.shape[2], codes.shape[3]
    factors = np.empty(min(step, positions) * columns, np.int64)
    for unit in range(begin, end):
        outer, block, first = unit // (blocks * parts), unit // parts % blocks, unit % parts * step
        last = min(first + step, positions)
        size = (last - first) * columns
        _factors(exponents[outer, block, first:last], wide, columns, low, high, factors)
        for r in range(block * tall, min((block + 1) * tall, rows)):
            xs, ys = codes[outer, r, first:last].reshape(size), out[outer, r, first:last].reshape(size)
            for i in range(size):
                ys[i] = np.int64(xs[i]) * factors[i]


@kernel
def _split(begin, end, codes, exponents, sizes, low, high, low_bits, tops, rests):
    tall, wide, step, parts, blocks = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
    rows, positions, columns = codes.shape[1], codes.shape[2], codes.shape[3]
    factors = np.empty(min(step, positions) * columns, np.int64)
    shift, mask = np.int32(low_bits), np.int32((1 << low_bits) - 1)
    for unit in range(begin, end):
        outer, block, first = unit // (blocks * parts), unit // parts % blocks, unit % parts * step
        last = min(first + step, positions)
        size = (last - first) * columns
        _factors(exponents[outer, block, first:last], wide, columns, low, high, factors)
        for r in range(block * tall, min((block + 1) * tall, rows)):
            xs, hs = codes[outer, r, first:last].reshape(size), tops[outer, r, first:last].reshape(size)
            ls = rests[outer, r, first:last].reshape(size)
            for i in range(size):
                v = np.int32(np.int32(xs[i]) * np.int32(factors[i]))
                hs[i] = np.int32(v >> shift)
                ls[i] = np.int32(v & mask)
