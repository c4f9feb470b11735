"""Softmax cross entropy of logit rows with its gradient: in pinned binary32, and in integers alone.

Integer version: ``2**-t`` from a table of 257 words with linear interpolation, the sum exact, one integer division a
row element, the logarithm bit by bit (repeated squaring). The tables are built with integer square roots.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import isqrt

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for

ROWS_PER_UNIT = 64
PROBABILITY_FRAC_BITS = 15
TABLE_BITS = 8
EXP_FRAC_BITS = 30
LOG2_E_Q14 = 23637  # round(2**14 / ln 2)
LN_2_Q16 = 45426  # round(2**16 * ln 2)
LOSS_FRAC_BITS = 16


@cache
def exp2_table() -> np.ndarray:
    """Return ``round(2**30 * 2**(-i/256))`` for i = 0..256, from integer square roots.

    >>> exp2_table()[[0, 128, 256]].tolist()
    [1073741824, 759250125, 536870912]
    """
    precision = 200
    root = 1 << (precision - 1)  # 2**-1
    for _ in range(TABLE_BITS):
        root = isqrt(root << precision)
    entries, power = [], 1 << precision
    for _ in range(2**TABLE_BITS + 1):
        shift = precision - EXP_FRAC_BITS
        entries.append((power + (1 << (shift - 1))) >> shift)
        power = power * root >> precision
    return np.array(entries, np.int64)


@cache
def powers_of_two() -> np.ndarray:
    """Return ``2**-n`` in binary32 for n = 0..149, exactly (the last 23 are subnormal)."""
    return np.ldexp(np.float32(1), -np.arange(150)).astype(np.float32)


def cross_entropy_fixed(logits: np.ndarray, frac_bits: int, labels: np.ndarray) -> tuple[Fraction, np.ndarray, int]:
    """Softmax cross entropy of integer logits.

    Parameters
    ----------
    logits : ndarray, shape (rows, classes)
        Codes; the value of a logit is ``code * 2**-frac_bits``.
    frac_bits : int
        Fraction length of the codes.
    labels : ndarray of int, shape (rows,)
        Right class of each row.

    Returns
    -------
    loss : Fraction
        Sum over the rows of ``-ln softmax[label]``, from a fixed-point logarithm with 16 fractional bits.
    gradient : ndarray of int32
        ``softmax - one_hot`` with ``PROBABILITY_FRAC_BITS`` fractional bits.
    correct : int
        Rows whose largest logit (the first of equals) is the label's.
    """
    rows = len(logits)
    gradient = np.empty(logits.shape, np.int32)
    loss, correct = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    sizes = np.array([rows, frac_bits], np.int64)
    units = -(-rows // ROWS_PER_UNIT)
    parallel_for(_fixed, units, sizes, logits, labels.astype(np.int64), exp2_table(), gradient, loss, correct)
    return Fraction(int(loss.sum()), 2**LOSS_FRAC_BITS), gradient, int(correct.sum())


def cross_entropy_float(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray, int]:
    """Softmax cross entropy of binary32 logits; see :func:`cross_entropy_fixed` for the results.

    The exponential is ours (argument reduction, polynomial of degree 7, every operation rounded on its own), so that
    its bits do not depend on the platform; its error is below 2 units in the last place.
    """
    rows = len(logits)
    gradient = np.empty(logits.shape, np.float32)
    loss, correct = np.zeros(rows, np.float64), np.zeros(rows, np.int64)
    units = -(-rows // ROWS_PER_UNIT)
    sizes = np.array([rows], np.int64)
    coefficients = np.array(_EXP_COEFFICIENTS, np.float32)
    labels = labels.astype(np.int64)
    parallel_for(_float, units, sizes, logits, labels, coefficients, powers_of_two(), gradient, loss, correct)
    return float(np.add.accumulate(loss)[-1]), gradient, int(correct.sum())


@kernel
def log2_q16(value):
    """``floor(2**16 * log2(value))`` to within one unit, for 0 < value < 2**62: integer part, then 16 squarings."""
    exponent = 0
    while (value >> exponent) > 1:
        exponent += 1
    mantissa = value << (30 - exponent) if exponent <= 30 else value >> (exponent - 30)
    result = exponent
    for _ in range(16):
        mantissa = (mantissa * mantissa) >> 30
        result <<= 1
        if mantissa >= 1 << 31:
            mantissa >>= 1
            result += 1
    return result


@kernel
def _fixed(begin, end, sizes, logits, labels, table, gradient, loss, correct):
    rows, frac_bits = sizes[0], sizes[1]
    classes = logits.shape[1]
    point = frac_bits + 14
    powers = np.empty(classes, np.int64)
    for row in range(begin * ROWS_PER_UNIT, min(end * ROWS_PER_UNIT, rows)):
        best = 0
        for c in range(classes):
            if logits[row, c] > logits[row, best]:
                best = c
        top = np.int64(logits[row, best])
        total = np.int64(0)
        for c in range(classes):
            t = (top - np.int64(logits[row, c])) * LOG2_E_Q14
            # t holds `point` fractional bits: bring it to 16
            t = t >> (point - 16) if point >= 16 else t << min(16 - point, 28)
            whole = t >> 16
            place = (t >> 8) & 255
            rest = t & 255
            high, low = table[place], table[place + 1]
            power = high - (((high - low) * rest) >> 8)
            powers[c] = power >> whole if whole <= EXP_FRAC_BITS else 0
            total += powers[c]
        for c in range(classes):
            share = ((powers[c] << PROBABILITY_FRAC_BITS) + (total >> 1)) // total
            gradient[row, c] = share - (1 << PROBABILITY_FRAC_BITS) if c == labels[row] else share
        correct[row] = best == labels[row]
        behind = top - np.int64(logits[row, labels[row]])
        behind = behind >> (frac_bits - 16) if frac_bits >= 16 else behind << min(16 - frac_bits, 40)
        loss[row] = (((log2_q16(total) - (EXP_FRAC_BITS << 16)) * LN_2_Q16) >> 16) + behind


# exp(r) = 1 + r + r^2/2 + ... + r^7/5040 on |r| <= ln(2)/2, after x = n ln 2 + r with ln 2 in two parts
_EXP_COEFFICIENTS = (
    1.4426950408889634,
    0.693359375,
    -2.12194440e-4,
    1 / 5040,
    1 / 720,
    1 / 120,
    1 / 24,
    1 / 6,
    1 / 2,
    1.0,
    1.0,
)


@kernel
def exp_negative(x, c, powers):
    """``exp(x)`` in binary32 for ``x <= 0``, every operation rounded on its own."""
    if x < np.float32(-103):
        return np.float32(0)
    n = np.int64(np.rint(np.float32(x * c[0])))
    m = np.float32(n)
    r = np.float32(np.float32(x - np.float32(m * c[1])) - np.float32(m * c[2]))
    y = c[3]
    for k in range(4, 11):
        y = np.float32(np.float32(y * r) + c[k])
    return np.float32(y * powers[-n])


@kernel
def log_positive(x):
    """``ln(x)`` in binary64 for normal ``x > 0``: the exponent, then the series of ``2 artanh``."""
    n = 0
    while x >= 1.5:
        x *= 0.5
        n += 1
    while x < 0.75:
        x *= 2.0
        n -= 1
    z = (x - 1.0) / (x + 1.0)
    square = z * z
    total = 0.0
    for k in range(12, -1, -1):
        total = total * square + 1.0 / (2 * k + 1)
    return n * 0.6931471805599453 + 2.0 * z * total


@kernel
def _float(begin, end, sizes, logits, labels, coefficients, powers, gradient, loss, correct):
    classes = logits.shape[1]
    for row in range(begin * ROWS_PER_UNIT, min(end * ROWS_PER_UNIT, sizes[0])):
        best = 0
        for c in range(classes):
            if logits[row, c] > logits[row, best]:
                best = c
        top = logits[row, best]
        total = np.float32(0)
        for c in range(classes):
            power = exp_negative(np.float32(logits[row, c] - top), coefficients, powers)
            gradient[row, c] = power
            total = np.float32(total + power)
        for c in range(classes):
            gradient[row, c] = np.float32(gradient[row, c] / total)
        gradient[row, labels[row]] = np.float32(gradient[row, labels[row]] - np.float32(1))
        correct[row] = best == labels[row]
        loss[row] = log_positive(np.float64(total)) + (np.float64(top) - np.float64(logits[row, labels[row]]))
