"""The formulas of APT: step, quantization error measurement (QEM) and interval (QPA).

Sums are exact integers; the logarithm is a correctly rounded decimal; the interval rule is a handful of binary64
operations, which IEEE 754 pins. No decision depends on an order of summation or a math library.
"""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction

import numpy as np

from fxpsim.kernels.samples import rounding_sums
from fxpsim.policies.logarithms import log2

ZERO_EXPONENT = -12  # step of a tensor of zeros, as the re-implementation has it
LOWEST_EXPONENT = -100  # binary32 holds the inverse
LONGEST_SHIFT = 61


class ErrorMeasure(StrEnum):
    """How the error of a quantized tensor is measured; the published thresholds of the two differ."""

    MEAN_MAGNITUDE = "mean_magnitude"
    ELEMENT_WISE = "element_wise"


def step_exponent(largest: int, frac_bits: int, word_bits: int) -> int:
    r"""Return ``s = ceil(log2(max|x| / (2**(n-1) - 1)))``: the finest power-of-two step that clips nothing.

    ``largest`` is the largest magnitude, with ``frac_bits`` fractional bits.

    >>> [step_exponent(largest, 0, 8) for largest in (127, 128, 1)]
    [0, 1, -6]
    """
    if largest == 0:
        return ZERO_EXPONENT
    top = 2 ** (word_bits - 1) - 1
    exponent = largest.bit_length() - top.bit_length() - 1
    while top << max(exponent, 0) < largest << max(-exponent, 0):
        exponent += 1
    return max(exponent - frac_bits, LOWEST_EXPONENT)


def measured_error(codes: np.ndarray, frac_bits: int, exponent: int, measure: ErrorMeasure) -> float:
    r"""Return Diff, the error of quantizing to multiples of ``2**exponent`` (nearest, ties to even).

    ``mean_magnitude``: :math:`\log_2(|\sum|x| - \sum|\hat x|| / \sum|x| + 1)`: rounding errors cancel, values flushed
    to zero do not. ``element_wise``: :math:`\log_2(\sum|\hat x - x| / \sum|x| + 1)`.

    Parameters
    ----------
    codes : ndarray of int64
        The tensor, with ``frac_bits`` fractional bits.
    frac_bits : int
        See ``codes``.
    exponent : int
        The step's.
    measure : ErrorMeasure
        Which of the two.

    Examples
    --------
    >>> measured_error(np.array([4, 1]), 0, 2, ErrorMeasure.MEAN_MAGNITUDE)  # 1 becomes 0: a fifth is lost
    0.26303440583379384
    """
    shift = frac_bits + exponent
    if shift <= 0:
        return 0.0
    total, kept, away = rounding_sums(codes, min(shift, LONGEST_SHIFT))
    if total == 0:
        return 0.0
    # beyond the longest shift every code is rounded to zero: kept is 0, and all is lost
    lost = abs(total - (kept << shift)) if measure is ErrorMeasure.MEAN_MAGNITUDE else away
    return float(log2(1 + Fraction(lost, total)))


def interval(*, drift: float, error: float, alpha: float, beta: float, gamma: float, delta: float, longest: int) -> int:
    r"""Return the steps to the next update, ``round(beta / max(alpha drift, delta error^2) - gamma)`` in [1, longest].

    >>> interval(drift=0.1, error=0.0, alpha=0.04, beta=0.1, gamma=2, delta=100, longest=313)
    23
    >>> interval(drift=0.0, error=0.0, alpha=0.04, beta=0.1, gamma=2, delta=100, longest=313)
    313
    """
    worst = max(alpha * drift, delta * (error * error))
    if worst * (longest + gamma) <= beta:
        return longest
    return min(max(round(beta / worst - gamma), 1), longest)
