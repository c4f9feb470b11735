"""Normalization by integers: a mean per channel and one power of two, found without a float."""

from fractions import Fraction

import numpy as np


def integer_scaling(inputs: np.ndarray) -> tuple[np.ndarray, int]:
    r"""Return offset and fraction length that give ``inputs`` mean 0 and standard deviation about 1.

    With the exact sums over all samples of channel :math:`c`, the offset is the mean rounded half up and the fraction
    length :math:`f` is the one for which the variance about the offsets, over all channels, satisfies

    .. math:: 2^{2f-1} \le \sigma^2 < 2^{2f+1}

    so that :math:`\sigma\,2^{-f}` lies between :math:`1/\sqrt2` and :math:`\sqrt2`.

    Parameters
    ----------
    inputs : numpy.ndarray
        uint8, channel last.

    Returns
    -------
    offset : numpy.ndarray
        int16 (C,).
    frac_bits : int
        0 where all samples are equal.

    Examples
    --------
    >>> offset, frac_bits = integer_scaling(np.array([[0, 100], [8, 108]], np.uint8))
    >>> offset.tolist(), frac_bits
    ([4, 104], 2)
    """
    channels = inputs.shape[-1]
    codes = np.arange(256, dtype=np.int64)
    offset = np.empty(channels, np.int16)
    squares = 0
    for channel in range(channels):
        counts = np.bincount(inputs[..., channel].ravel(), minlength=256)
        total, weighted = int(counts.sum()), int((counts * codes).sum())
        offset[channel] = (2 * weighted + total) // (2 * total)
        squares += int((counts * (codes - offset[channel]) ** 2).sum())
    return offset, half_log2(squares, inputs.size)


def half_log2(numerator: int, denominator: int) -> int:
    """Return f with 2**(2f-1) <= numerator/denominator < 2**(2f+1)."""
    rest, frac_bits = Fraction(numerator, denominator), 0
    while rest >= 2:
        rest, frac_bits = rest / 4, frac_bits + 1
    while 0 < rest < Fraction(1, 2):
        rest, frac_bits = rest * 4, frac_bits - 1
    return frac_bits
