r"""DYNASTY's map of word lengths: one threshold for all layers, found by bisection, smoothed over updates.

A block of sensitivity S wants :math:`\mathrm{clip}(S - K, 0, 8)` bits. K is sought in :math:`[\bar S - \mathrm{target}
- 8, \bar S - \mathrm{target} + 8]` so that the mean over the layers, weighted by their computations, meets the target;
an end of the interval moves past the midpoint by half the tolerance, so the search ends. The wanted bits enter an
exponential average with weight 1/2; used is the nearest of 0, 2, 4, 6, 8 bits (ties to even halves).

All numbers are integers in units of 2^-12 bits; means are rationals.

Source: DYNASTY (Liu et al., ASP-DAC 2023, arXiv 2210.17047), as defined by a co-author's released research code
(wch18/OBAQ_2.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fxpsim.policies.sensitivity import FRAC_BITS

LARGEST = 8
REACH = 8
TOLERANCE = Fraction(1, 20)
UNIT = 1 << FRAC_BITS
WIDTHS = (0, 2, 4, 6, 8)

Map = NDArray[np.int64]


def threshold(sensitivity: Mapping[str, Map], weights: Mapping[str, int], target: Fraction) -> int:
    """Return K, in units of 2^-12 bits.

    Parameters
    ----------
    sensitivity : mapping of str to ndarray of int64
        Layer -> sensitivity of its blocks.
    weights : mapping of str to int
        Layer -> its computations.
    target : Fraction
        Mean bits.

    Examples
    --------
    >>> s = {"a": np.arange(0, 17) * UNIT}
    >>> k = threshold(s, {"a": 1}, Fraction(4))
    >>> abs(float(mean_bits(s, {"a": 1}, k)) - 4) < 0.05
    True
    """
    blocks = sum(s.size for s in sensitivity.values())
    middle = Fraction(sum(int(s.sum()) for s in sensitivity.values()), blocks) - target * UNIT
    low, high = middle - REACH * UNIT, middle + REACH * UNIT
    past = TOLERANCE * UNIT / 2
    while True:
        at = round((low + high) / 2)
        excess = mean_bits(sensitivity, weights, at) - target
        if abs(excess) <= TOLERANCE or low >= high:
            return at
        if excess > 0:  # too many bits: a higher threshold
            low = at + past
        else:
            high = at - past


def wanted(sensitivity: Map, at: int) -> Map:
    """Return ``clip(S - K, 0, 8)`` of every block."""
    return np.clip(sensitivity - at, 0, LARGEST * UNIT)


def mean_bits(sensitivity: Mapping[str, Map], weights: Mapping[str, int], at: int) -> Fraction:
    """Return the mean over layers of what their blocks want at a threshold, weighted by computations."""
    total = Fraction(0)
    for layer, s in sensitivity.items():
        total += weights[layer] * Fraction(int(wanted(s, at).sum()), s.size * UNIT)
    return total / sum(weights[layer] for layer in sensitivity)


def used(smoothed: Map) -> Map:
    """Return the word lengths of smoothed maps.

    >>> used(np.array([0, 3 * UNIT, 5 * UNIT, 31 * UNIT // 4])).tolist()
    [0, 4, 4, 8]
    """
    return 2 * np.rint(smoothed / (2 * UNIT)).astype(np.int64)
