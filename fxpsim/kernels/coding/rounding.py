"""How the coding kernels round a number to a whole one, and the random words that they draw for it."""

from __future__ import annotations

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.random import GROUP, fill_words
from fxpsim.numerics import Rounding

WORDS = 4294967296.0  # how many random words there are
STOCHASTIC = 3
MODES = {Rounding.HALF_EVEN: 0, Rounding.HALF_AWAY: 1, Rounding.HALF_UP: 2, Rounding.STOCHASTIC: STOCHASTIC}


@kernel
def carried(y, word):
    """Round stochastically: the carry out of 32 random bits below the last place.

    Both sides of each comparison are exact: of a negative number the part below the next whole number toward zero is
    exact, of a positive one that above it.
    """
    magnitude = abs(y)
    whole = np.floor(magnitude)
    part = (magnitude - whole) * WORDS
    if y >= 0:
        return whole + 1.0 if part >= WORDS - word else whole
    return -(whole + 1.0) if part > word else -whole


@kernel
def nearest(y, mode):
    """Round half to even (mode 0), away from zero (1) or up (2)."""
    if mode == 0:
        return np.rint(y)
    magnitude = abs(y)
    whole = np.floor(magnitude)
    part = magnitude - whole
    away = part >= 0.5 if mode == 1 or y >= 0 else part > 0.5
    whole = whole + 1.0 if away else whole
    return whole if y >= 0 else -whole


@kernel
def words_of(first, key0, key1, mask, words):
    """Fill GROUP words from index ``first``, a multiple of GROUP."""
    fill_words(first, key0, key1, words)
    if mask != np.uint32(0xFFFFFFFF):
        for i in range(GROUP):
            words[i] = words[i] & mask
