"""Softmax along rows and its gradient, with an optional causal mask: in integers alone, and in pinned binary32.

The last two axes of a causal softmax are positions that ask and positions that are asked; position i sees no position
beyond i (counted from the last ones, if there are more that are asked). Masked shares are exactly 0.
"""

from __future__ import annotations

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.softmax import (
    _EXP_COEFFICIENTS,
    EXP_FRAC_BITS,
    LOG2_E_Q14,
    PROBABILITY_FRAC_BITS,
    exp2_table,
    exp_negative,
    powers_of_two,
)
from fxpsim.kernels.threads import parallel_for

ROWS_PER_UNIT = 32


def softmax_fixed(x: np.ndarray, frac_bits: int, *, causal: bool = False) -> np.ndarray:
    """Return the shares (int32, ``PROBABILITY_FRAC_BITS`` fractional bits) of every row of codes."""
    rows, sizes = _rows(x, causal)
    out = np.zeros(rows.shape, np.int32)
    sizes = np.append(sizes, frac_bits)
    parallel_for(_fixed, -(-len(rows) // ROWS_PER_UNIT), sizes, rows, exp2_table(), out)
    return out.reshape(x.shape)


def softmax_gradient_fixed(g: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return ``shares (g - sum(g shares))`` of every row, exact but for the sum, which is rounded to g's last place.

    The result (int32) has ``PROBABILITY_FRAC_BITS`` more fractional bits than ``g``.
    """
    rows = g.reshape(-1, g.shape[-1])
    out = np.empty(rows.shape, np.int32)
    parallel_for(_fixed_gradient, -(-len(rows) // ROWS_PER_UNIT), rows, shares.reshape(rows.shape), out)
    return out.reshape(g.shape)


def softmax_float(x: np.ndarray, *, causal: bool = False) -> np.ndarray:
    """Return the shares of every row in binary32."""
    rows, sizes = _rows(x, causal)
    out = np.zeros(rows.shape, np.float32)
    coefficients = np.array(_EXP_COEFFICIENTS, np.float32)
    parallel_for(_float, -(-len(rows) // ROWS_PER_UNIT), sizes, rows, coefficients, powers_of_two(), out)
    return out.reshape(x.shape)


def softmax_gradient_float(g: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return ``shares (g - sum(g shares))`` of every row in binary32."""
    rows = g.reshape(-1, g.shape[-1])
    out = np.empty(rows.shape, np.float32)
    parallel_for(_float_gradient, -(-len(rows) // ROWS_PER_UNIT), rows, shares.reshape(rows.shape), out)
    return out.reshape(g.shape)


def _rows(x: np.ndarray, causal: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix of rows, and what :func:`_visible` needs: rows of a mask (0: none) and their first length."""
    asks, asked = (x.shape[-2] if x.ndim > 1 else 1), x.shape[-1]
    return x.reshape(-1, asked), np.array([asks if causal else 0, asked - asks + 1], np.int64)


@kernel
def _visible(row, sizes, columns):
    """How many columns a row sees."""
    return columns if sizes[0] == 0 else min(max(row % sizes[0] + sizes[1], 1), columns)


@kernel
def _fixed(begin, end, sizes, x, table, out):
    frac_bits = sizes[2]
    point = frac_bits + 14
    powers = np.empty(x.shape[1], np.int64)
    for row in range(begin * ROWS_PER_UNIT, min(end * ROWS_PER_UNIT, x.shape[0])):
        seen = _visible(row, sizes, x.shape[1])
        top = np.int64(x[row, 0])
        for c in range(1, seen):
            top = max(top, np.int64(x[row, c]))
        total = np.int64(0)
        for c in range(seen):
            t = (top - np.int64(x[row, c])) * LOG2_E_Q14
            t = t >> min(point - 16, 62) if point >= 16 else t << min(16 - point, 28)
            whole, place, rest = t >> 16, (t >> 8) & 255, t & 255
            high, low = table[place], table[place + 1]
            power = high - (((high - low) * rest) >> 8)
            powers[c] = power >> whole if whole <= EXP_FRAC_BITS else 0
            total += powers[c]
        for c in range(seen):
            out[row, c] = ((powers[c] << PROBABILITY_FRAC_BITS) + (total >> 1)) // total


@kernel
def _fixed_gradient(begin, end, g, shares, out):
    half = np.int64(1) << (PROBABILITY_FRAC_BITS - 1)
    for row in range(begin * ROWS_PER_UNIT, min(end * ROWS_PER_UNIT, g.shape[0])):
        gs, ps = g[row], shares[row]
        total = np.int64(0)
        for c in range(gs.size):
            total += np.int64(gs[c]) * np.int64(ps[c])
        mean = (total + half) >> PROBABILITY_FRAC_BITS
        for c in range(gs.size):
            out[row, c] = np.int64(ps[c]) * (np.int64(gs[c]) - mean)


@kernel
def _float(begin, end, sizes, x, coefficients, powers, out):
    for row in range(begin * ROWS_PER_UNIT, min(end * ROWS_PER_UNIT, x.shape[0])):
        seen = _visible(row, sizes, x.shape[1])
        top = x[row, 0]
        for c in range(1, seen):
            top = max(top, x[row, c])
        total = np.float32(0)
        for c in range(seen):
            power = exp_negative(np.float32(x[row, c] - top), coefficients, powers)
            out[row, c] = power
            total = np.float32(total + power)
        for c in range(seen):
            out[row, c] = np.float32(out[row, c] / total)


@kernel
def _float_gradient(begin, end, g, shares, out):
    for row in range(begin * ROWS_PER_UNIT, min(end * ROWS_PER_UNIT, g.shape[0])):
        gs, ps = g[row], shares[row]
        total = np.float32(0)
        for c in range(gs.size):
            total = np.float32(total + np.float32(gs[c] * ps[c]))
        for c in range(gs.size):
            out[row, c] = np.float32(ps[c] * np.float32(gs[c] - total))
