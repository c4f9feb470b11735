r"""PushUp of ADEPT, and what moves with it: look-back, resolution and strategy.

The gradient diversity of a window is :math:`\Delta = \sum_k \|g_k\|_2 / \|\sum_k g_k\|_2` (norms, not squares: at
least 1, small where gradients agree). Everything here is exact rational arithmetic on it; the logarithm comes from
outside. Formulas of the released code (lorenz0890/AdaPT).
"""

from __future__ import annotations

import math
from enum import StrEnum
from fractions import Fraction


class Strategy(StrEnum):
    """How the two suggestions of PushUp are merged, from thrifty to safe."""

    MIN = "min"
    MEAN = "mean"
    MAX = "max"


def suggestion(logarithm: Fraction | None, frac_bits: int, strategy: Strategy, *, max_word_bits: int = 32) -> int:
    r"""Return how many fractional bits PushUp adds.

    With :math:`L = \ln \Delta - 1`: :math:`s_1 = \lceil 1 / L^2 \rceil`,
    :math:`s_2 = \max(\min(\lceil 32 L^2 \rceil, 32) - FL, 0)`, merged by the strategy; 1 if L is not positive.

    Parameters
    ----------
    logarithm : Fraction, optional
        ``ln`` of the diversity; None where the diversity is infinite or zero.
    frac_bits : int
        Fraction length that PushDown found.
    strategy : Strategy
        How to merge.
    max_word_bits : int
        The 32 of the formula.

    Examples
    --------
    >>> [suggestion(Fraction(5, 3), 4, strategy) for strategy in Strategy]
    [3, 7, 11]
    >>> suggestion(Fraction(9, 10), 4, Strategy.MAX)
    1
    """
    if logarithm is None or logarithm <= 1:
        return 1
    square = (logarithm - 1) ** 2
    first = max(math.ceil(1 / square), 1)
    second = max(min(math.ceil(max_word_bits * square), max_word_bits) - frac_bits, 0)
    match strategy:
        case Strategy.MIN:
            return min(first, second)
        case Strategy.MEAN:
            return math.ceil(Fraction(first + second, 2))
        case Strategy.MAX:
            return max(first, second)


def push_up(
    logarithm: Fraction | None,
    word_bits: int,
    frac_bits: int,
    strategy: Strategy,
    *,
    buffer_bits: int,
    max_word_bits: int = 32,
) -> tuple[int, int, int]:
    """Return the new word and fraction length and the suggestion, from what PushDown found.

    ``buffer_bits`` integer bits (sign included) stay in front of the binary point, against overflow.

    >>> push_up(Fraction(5, 3), 7, 5, Strategy.MIN, buffer_bits=4)
    (12, 8, 3)
    """
    added = suggestion(logarithm, frac_bits, strategy, max_word_bits=max_word_bits)
    frac = min(frac_bits + added, max_word_bits)
    word = min(max(word_bits, frac) + 1, max_word_bits)
    frac = min(frac, max_word_bits - buffer_bits)
    return max(min(frac + buffer_bits, max_word_bits), word), frac, added


def look_back(inverse: Fraction | None, before: int, *, low: int, high: int, momentum: Fraction) -> int:
    r"""Return the new length of the window.

    :math:`lb' = \lceil \min(\max(lb_{high} / \Delta, lb_{low}), lb_{high}) \rceil`, then
    :math:`\lceil \gamma lb' + (1 - \gamma) lb \rceil`.

    Parameters
    ----------
    inverse : Fraction, optional
        ``1 / diversity``; None where all gradients were zero.
    before : int
        Current length.
    low, high : int
        Its limits.
    momentum : Fraction
        Share of the new value.

    Examples
    --------
    >>> look_back(Fraction(1, 5), 25, low=25, high=100, momentum=Fraction("0.33"))
    25
    >>> look_back(Fraction(1), 25, low=25, high=100, momentum=Fraction("0.33"))
    50
    """
    target = high if inverse is None else math.ceil(min(max(high * inverse, Fraction(low)), Fraction(high)))
    return math.ceil(momentum * target + (1 - momentum) * before)


def adapted_resolution(resolution: int, window: int, *, limits: tuple[int, int], window_limits: tuple[int, int]) -> int:
    """Return the number of bins: one more while the window is longest, one less while it is shortest.

    >>> adapted_resolution(50, 100, limits=(50, 150), window_limits=(25, 100))
    51
    """
    low, high = limits
    if window == window_limits[1]:
        resolution = min(max(resolution + 1, low), high)
    if window == window_limits[0]:
        resolution = min(max(resolution - 1, low), high)
    return resolution


def adapted_strategy(strategy: Strategy, losses: list[int], loss: int, window: int) -> Strategy:
    """Return the strategy after a loss, given those before it (integers of one grid).

    With more than ``window`` losses: one level safer if their sum over ``window`` is at most the loss, else thrifty.
    The released code divides the sum of all stored losses (one more than the window) by the window.

    >>> adapted_strategy(Strategy.MIN, [3, 3, 3], 5, 2)
    <Strategy.MEAN: 'mean'>
    """
    if len(losses) <= window:
        return strategy
    if abs(sum(losses)) > abs(loss) * window:
        return Strategy.MIN
    return Strategy.MEAN if strategy is Strategy.MIN else Strategy.MAX
