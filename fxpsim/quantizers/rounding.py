r"""Rounding of whole tensors to codes, by rows and by blocks.

.. math:: c = \mathrm{clip}(\mathrm{round}((x - l) \cdot f) + b, \; c_{min}, c_{max})

One subtraction and one product in binary64, each correctly rounded; the rounding itself is exact. For powers of two
``f`` and ``l = 0`` the whole is exact: the result is that of an integer shift. Stochastic rounding adds 32 random bits
below the last place (:meth:`fxpsim.numerics.RandomBits.words`, element ``i`` takes word ``i``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.cast import storage_dtype
from fxpsim.kernels.coding.affine import code_runs
from fxpsim.kernels.coding.rounding import MODES, words_of
from fxpsim.kernels.jit import kernel
from fxpsim.kernels.random import GROUP
from fxpsim.kernels.threads import parallel_for
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Tally


def random_words(random: RandomBits, count: int) -> NDArray[np.uint32]:
    """Return words 0 to ``count`` of a stream: :meth:`RandomBits.words`, by a kernel.

    >>> source = RandomBits(seed=3)
    >>> bool((random_words(source, 5000) == source.words(5000)).all())
    True
    """
    groups = -(-count // GROUP)
    words = np.empty(groups * GROUP, np.uint32)
    key0, key1 = random.key
    parallel_for(_fill, groups, key0, key1, np.uint32(random.mask), words)
    return words[:count]


def round_rows(
    x: NDArray[np.floating[Any]],
    low: NDArray[np.float64],
    factor: NDArray[np.float64],
    word: FixedFormat,
    *,
    base: int = 0,
    rounding: Rounding,
    random: RandomBits | None = None,
    limits: tuple[int, int] | None = None,
) -> NDArray[Any]:
    """Return the codes of a tensor whose rows (axis 0, or equal runs in C order) share a low end and a factor.

    Parameters
    ----------
    x : ndarray of float32 or float64
        The tensor.
    low, factor : ndarray of float64, (R,)
        Subtracted first, then multiplied, for each of R equal runs of elements.
    word : FixedFormat
        The codes' word.
    base : int
        Added to every code after rounding.
    rounding : Rounding
        ``half_even``, ``half_away``, ``half_up`` or ``stochastic``.
    random : RandomBits, optional
        For ``stochastic``.
    limits : (int, int), optional
        Least and largest code, if not those of the word.
    """
    none = np.full(len(low), np.nan)
    return counted_rows(x, low, factor, none, word, base=base, rounding=rounding, random=random, limits=limits)[0]


def counted_rows(
    x: NDArray[np.floating[Any]],
    low: NDArray[np.float64],
    factor: NDArray[np.float64],
    zero: NDArray[np.float64],
    word: FixedFormat,
    *,
    base: int = 0,
    rounding: Rounding,
    random: RandomBits | None = None,
    limits: tuple[int, int] | None = None,
) -> tuple[NDArray[Any], Tally]:
    """Return the codes as :func:`round_rows` does, and what they count.

    ``zero`` has the code that stands for zero in each row, NaN where there is none (:func:`zero_codes`).
    """
    codes, zeros, vanished = code_runs(
        x,
        low,
        factor,
        zero,
        storage_dtype(word.word_bits, word.signed),
        base=base,
        limits=limits or (word.min_code, word.max_code),
        mode=MODES[rounding],
        draw=(0, 0, 0) if random is None else (*random.key, random.mask),
    )
    return codes, Tally(x.size - zeros, vanished)


def zero_codes(
    step: NDArray[np.float64], offset: NDArray[np.float64], word: FixedFormat, zero_point: int = 0
) -> NDArray[np.float64]:
    """Return the code whose value is exactly zero, or NaN, for codes read as ``(code - zero_point) * step + offset``.

    A code c has the value zero only where the product, rounded once, is ``-offset``. The quotient then lies within
    ``|c| * 2**-52`` of ``c - zero_point``, and no other whole number does.

    >>> zero_codes(np.array([0.5, 0.5]), np.array([-1.0, 0.3]), FixedFormat.parse("u4f0")).tolist()
    [2.0, nan]
    """
    found = np.rint(-offset / step)
    code = found + zero_point
    hit = (found * step + offset == 0) & (code >= word.min_code) & (code <= word.max_code)
    return np.where(hit, code, np.nan)


def reaches(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    step: NDArray[np.float64],
    offset: NDArray[np.float64],
    word: FixedFormat,
    zero_point: int = 0,
) -> bool:
    """Return whether no element between ``low`` and ``high`` lies more than half a step beyond the ends of the codes.

    Rounded differences grow with their elements, so that those of the extremes bound all others.

    >>> one = np.ones(1)
    >>> word = FixedFormat.parse("u4f0")
    >>> reaches(0 * one, 15.4 * one, one, 0 * one, word), reaches(0 * one, 15.6 * one, one, 0 * one, word)
    (True, False)
    """
    top = (word.max_code - zero_point) * step + offset
    bottom = (word.min_code - zero_point) * step + offset
    return bool(((high - top <= 0.5 * step) & (bottom - low <= 0.5 * step)).all())


@kernel
def _fill(begin, end, key0, key1, mask, words):
    for group in range(begin, end):
        words_of(group * GROUP, key0, key1, mask, words[group * GROUP : (group + 1) * GROUP])
