r"""Sums of raw codes, corrected by their zero points and read by steps and offsets, in one pass.

For results (image i, position p, column n) with the raw sums R, and with the sums of codes A (of the first operand),
B (of the second) and counts C of the products that the position visits:

.. math:: P = R - z_b A - z_a B + z_a z_b C, \qquad A' = A - z_a C, \qquad B' = B - z_b C

.. math:: y = s_i P t_n + s_i A' r_n + o_i B' t_n + o_i r_n C

The first line is in integers. The second takes each operation rounded to binary64, from left to right and in this
order, then one rounding to the type of the result. Terms of an offset that is zero add a zero and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.memory import empty
from fxpsim.kernels.threads import parallel_for

UNIT = 1 << 13
SAFE_EXPONENT = 900  # 53 bits times such a power of two are exact in binary64


class Corrections(NamedTuple):
    """Sums A (images, positions), B (positions, columns) and C (positions), and the zero points of both operands."""

    of_a: NDArray[np.int64]
    of_b: NDArray[np.int64]
    counts: NDArray[np.int64]
    zero_a: int
    zero_b: int


def read_sums(
    sums: NDArray[Any],
    corrections: Corrections,
    left: Sequence[NDArray[np.float64]],
    right: Sequence[NDArray[np.float64]],
    dtype: Any,
) -> NDArray[Any]:
    """Return the values of raw sums.

    Parameters
    ----------
    sums : ndarray of int32 or int64, (images, positions, columns)
    corrections : Corrections
        Arrays may have length 1 where they do not vary.
    left : (step, step, offset)
        Of the images, float64: the step of a product (what a product counts for included), that of a sum of codes,
        the offset. Arrays may have length 1.
    right : (step, offset)
        Of the columns.
    dtype : float32 or float64
    """
    images, positions, columns = sums.shape
    of_a = np.ascontiguousarray(np.broadcast_to(corrections.of_a, (images, positions)), np.int64)
    of_b = np.ascontiguousarray(np.broadcast_to(corrections.of_b, (positions, columns)), np.int64)
    counts = np.ascontiguousarray(np.broadcast_to(corrections.counts, (positions,)), np.int64)
    scaled, steps, offsets = (np.ascontiguousarray(np.broadcast_to(line, (images,))) for line in left)
    out = empty(sums.shape, dtype)
    share = max(1, UNIT // columns)
    parts = -(-positions // share)
    sizes = np.array([share, parts, corrections.zero_a, corrections.zero_b], np.int64)
    parallel_for(
        _read,
        images * parts,
        sums,
        of_a,
        of_b,
        counts,
        scaled,
        steps,
        offsets,
        *map(np.ascontiguousarray, right),
        sizes,
        out,
    )
    return out


@kernel
def _read(begin, end, sums, of_a, of_b, counts, scaled, steps, offsets, t, r, sizes, out):
    share, parts, zero_a, zero_b = sizes[0], sizes[1], sizes[2], sizes[3]
    for unit in range(begin, end):
        i, first = unit // parts, (unit % parts) * share
        su, s, o = scaled[i], steps[i], offsets[i]
        for p in range(first, min(first + share, sums.shape[1])):
            count = counts[p]
            xs, bs, ys = sums[i, p], of_b[p], out[i, p]
            moved = zero_a * zero_b * count - zero_b * of_a[i, p]
            beside = np.float64(of_a[i, p] - zero_a * count) * s
            for n in range(xs.size):
                product = np.float64(np.int64(xs[n]) - zero_a * bs[n] + moved)
                y = product * su * t[n]
                y = y + beside * r[n]
                y = y + o * (np.float64(bs[n] - zero_b * count) * t[n])
                y = y + np.float64(count) * (o * r[n])
                ys[n] = y


def scaled(
    sums: NDArray[Any], exponent: int, dtype: Any, rest: NDArray[Any] | None = None, shift: int = 0
) -> NDArray[Any]:
    """Return ``sums * 2**shift + rest``, integers below 2^53, times a power of two, rounded to ``dtype`` once.

    >>> scaled(np.array([3, -5]), -1, np.float32)
    array([ 1.5, -2.5], dtype=float32)
    """
    if rest is None:
        rest, shift = sums, -1
    out = empty(sums.shape, dtype)
    if abs(exponent) > SAFE_EXPONENT:
        total = sums if shift < 0 else (sums.astype(np.int64) << shift) + rest
        return np.ldexp(total.astype(np.float64), exponent).astype(dtype)
    units = -(-sums.size // UNIT)
    parallel_for(_scale, units, sums.reshape(-1), rest.reshape(-1), shift, 2.0**exponent, out.reshape(-1))
    return out


@kernel
def _scale(begin, end, sums, rest, shift, factor, out):
    xs, rs = sums[begin * UNIT : end * UNIT], rest[begin * UNIT : end * UNIT]
    ys = out[begin * UNIT : end * UNIT]
    if shift < 0:
        for i in range(xs.size):
            ys[i] = np.float64(xs[i]) * factor
    else:
        above = 2.0**shift
        for i in range(xs.size):
            ys[i] = (np.float64(xs[i]) * above + np.float64(rs[i])) * factor
