r"""PushDown of ADEPT: the smallest format that leaves the distribution of a layer's weights as it is.

Weights and quantized weights are binned over the range of the weights, and a format passes if the two histograms are
close enough. Three rules say what that means.

``released``
    What the authors' code computes (lorenz0890/AdaPT): stochastic rounding, quantized values outside the range dropped,
    :math:`\frac{1}{r} \sum_b e^{q_b} (q_b - p_b) > 0` means too coarse. That is no Kullback-Leibler divergence (the
    library's loss is fed probabilities where it expects logarithms), the fraction length is searched by testing the
    lower end of the interval, and the sample is the first output channel. The code works in binary32; ours is exact.
``paper``
    The definition, as far as it is known (our reconstruction): :math:`KL(P \| Q) = \sum_b P_b \ln(P_b / Q_b)` with P
    quantized and Q unquantized, rounding to nearest, bisection over all formats for the smallest with a divergence of
    at most the tolerance (the paper: 0).
``hardware``
    Our own variant without any float: bins whose width is a power of two, and
    :math:`\sum_b |P_b - Q_b| \leq tolerance`, in counts.

The tensors are integers (see :mod:`fxpsim.policies.sample`), so the histograms are exact; logarithm and exponential
are correctly rounded decimals. No result depends on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np

from fxpsim.numerics import RandomBits
from fxpsim.policies.logarithms import exp, ln
from fxpsim.policies.sample import Sample, round_shift

INFINITE = Fraction(10**6)  # stands for an infinite divergence in logs


class PushDownRule(StrEnum):
    """Which of the three rules decides; see the module."""

    PAPER = "paper"
    RELEASED = "released"
    HARDWARE = "hardware"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The sample of a layer's weights, as integers, with what the histograms need.

    Parameters
    ----------
    codes : ndarray of int64
        Elements.
    frac_bits : int
        Their fraction length.
    resolution : int
        Number of bins.
    """

    codes: np.ndarray
    frac_bits: int
    resolution: int

    @classmethod
    def of(cls, sample: Sample, resolution: int) -> Weights:
        """Read a tensor."""
        codes, frac_bits = sample.integers()
        return cls(codes=codes, frac_bits=frac_bits, resolution=resolution)

    def quantized(self, word_bits: int, frac_bits: int, random: RandomBits | None = None) -> np.ndarray:
        """Return the codes of the quantized weights at the sample's own fraction length (saturating).

        >>> Weights(codes=np.array([5, -7, 100]), frac_bits=3, resolution=4).quantized(4, 1).tolist()
        [4, -8, 28]
        """
        shift = self.frac_bits - frac_bits
        high = (1 << (word_bits - 1)) - 1
        if shift <= 0:
            finer = min(-shift, 62)
            return np.clip(self.codes, -((high + 1) >> finer), high >> finer)
        if random is None:
            rounded = round_shift(self.codes, shift)
        else:
            words = random.words(self.codes.size).astype(np.int64)
            noise = words >> (32 - shift) if shift <= 32 else words << (shift - 32)
            rounded = (self.codes + noise) >> shift
        return np.clip(rounded, -high - 1, high) << shift

    def histogram(self, values: np.ndarray, *, drop: bool) -> np.ndarray:
        """Return counts over ``resolution`` bins from the smallest to the largest weight.

        Values outside are dropped, or counted in the outer bins.

        >>> Weights(codes=np.array([0, 3, 8]), frac_bits=0, resolution=2).histogram(np.array([0, 4, 9]), drop=True)
        array([1, 1])
        """
        low, high = int(self.codes.min()), int(self.codes.max())
        if drop:
            values = values[(values >= low) & (values <= high)]
        bins = (np.clip(values, low, high) - low) * self.resolution // max(high - low, 1)
        return np.bincount(np.minimum(bins, self.resolution - 1), minlength=self.resolution)

    def shift_histogram(self, values: np.ndarray) -> np.ndarray:
        """Return counts over at most ``resolution`` bins whose width is a power of two."""
        low, high = int(self.codes.min()), int(self.codes.max())
        width = 0
        while (high - low) >> width >= self.resolution:
            width += 1
        return np.bincount((np.clip(values, low, high) - low) >> width, minlength=self.resolution)


def released_loss(weights: Weights, word_bits: int, frac_bits: int, random: RandomBits) -> Fraction:
    """Return what the released code compares with 0."""
    p = weights.histogram(weights.codes, drop=True)
    q = weights.histogram(weights.quantized(word_bits, frac_bits, random), drop=True)
    n, kept = int(p.sum()), int(q.sum())
    if kept == 0:
        return Fraction(0)  # 0/0 there: no number is greater than 0
    total = Fraction(0)
    for p_b, q_b in zip(p.tolist(), q.tolist(), strict=True):
        if p_b * kept != q_b * n:
            total += exp(Fraction(q_b, kept)) * (Fraction(q_b, kept) - Fraction(p_b, n))
    return total / weights.resolution


def divergence(weights: Weights, word_bits: int, frac_bits: int) -> Fraction:
    """Return KL(quantized || weights) over the bins; ``INFINITE`` where a bin of the weights is empty."""
    q = weights.histogram(weights.codes, drop=False)
    p = weights.histogram(weights.quantized(word_bits, frac_bits), drop=False)
    if (p == q).all():
        return Fraction(0)
    if (p[q == 0] > 0).any():
        return INFINITE
    n = int(p.sum())
    pairs = zip(p.tolist(), q.tolist(), strict=True)
    return sum((Fraction(a, n) * ln(Fraction(a, b)) for a, b in pairs if a not in (0, b)), Fraction(0))


def count_distance(weights: Weights, word_bits: int, frac_bits: int) -> Fraction:
    """Return ``sum |P - Q|`` over bins of a power-of-two width, as a share of the elements."""
    p = weights.shift_histogram(weights.quantized(word_bits, frac_bits))
    q = weights.shift_histogram(weights.codes)
    return Fraction(int(np.abs(p - q).sum()), weights.codes.size)


def bisect(coarse: Callable[[int], bool], low: int, high: int, *, test_low: bool = False) -> int:
    """Return the lower end of the interval that the released bisection ends with.

    Parameters
    ----------
    coarse : callable
        Whether a number of bits is too few.
    low, high : int
        Where the search begins.
    test_low : bool
        Test the lower end instead of the middle, as the released search of the fraction length does.

    Examples
    --------
    >>> bisect(lambda bits: True, 4, 12), bisect(lambda bits: bits < 7, 4, 12)
    (11, 6)
    """
    for _ in range(max(high - low, 0)):
        middle = -(-(high + low) // 2)
        if coarse(low if test_low else middle):
            low = middle
        else:
            high = middle
        if high - low <= 1:
            break
    return low


def smallest(coarse: Callable[[int], bool], low: int, high: int) -> int:
    """Return the smallest number of bits in ``[low, high]`` that is not too few; ``high`` if all are.

    >>> smallest(lambda bits: bits < 7, 4, 12), smallest(lambda bits: True, 4, 12)
    (7, 12)
    """
    while low < high:
        middle = (low + high) // 2
        if coarse(middle):
            low = middle + 1
        else:
            high = middle
    return low


@dataclass(frozen=True, kw_only=True)
class Smallest:
    """What PushDown found.

    Parameters
    ----------
    word_bits, frac_bits : int
        The smallest format.
    distance : Fraction
        Of the histograms at that format.
    trials : int
        Formats that were tried.
    """

    word_bits: int
    frac_bits: int
    distance: Fraction
    trials: int


def push_down(
    weights: Weights,
    rule: PushDownRule,
    *,
    word_bits: int,
    frac_bits: int,
    min_frac_bits: int,
    max_word_bits: int,
    tolerance: Fraction,
    random: RandomBits,
) -> Smallest:
    """Return the smallest format that leaves the weights' distribution as it is.

    Parameters
    ----------
    weights : Weights
        The sample.
    rule : PushDownRule
        Which distance and search.
    word_bits, frac_bits : int
        Current format: the released search starts below it and can only lower.
    min_frac_bits, max_word_bits : int
        Limits of the search.
    tolerance : Fraction
        Largest distance that passes (``paper``, ``hardware``); the released rule knows none.
    random : RandomBits
        Random bits of the released rule; every trial takes a fresh stream.
    """
    tried: list[Fraction] = []

    def coarse(word: int, frac: int) -> bool:
        match rule:
            case PushDownRule.RELEASED:
                tried.append(released_loss(weights, word, frac, random.derive("push_down", len(tried))))
                return tried[-1] > 0
            case PushDownRule.PAPER:
                tried.append(divergence(weights, word, frac))
            case PushDownRule.HARDWARE:
                tried.append(count_distance(weights, word, frac))
        return tried[-1] > tolerance

    if rule is PushDownRule.RELEASED:
        frac = bisect(lambda bits: coarse(word_bits, bits), min_frac_bits, frac_bits, test_low=True)
        word = bisect(lambda bits: coarse(bits, frac), frac, word_bits)
    else:
        frac = smallest(lambda bits: coarse(max_word_bits, bits), min_frac_bits, max_word_bits - 1)
        word = smallest(lambda bits: coarse(bits, frac), frac + 1, max_word_bits)
    coarse(word, frac)
    return Smallest(word_bits=word, frac_bits=frac, distance=tried[-1], trials=len(tried))
