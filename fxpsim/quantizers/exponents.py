"""Leading bits: what a hardware leading-one detector says of a tensor's magnitudes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_BIT = -(1 << 20)
"""Exponent of zero: below that of every binary64 number."""


def leading_exponents(magnitude: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Return the least e with ``magnitude < 2**e``, exactly; ``NO_BIT`` for zero.

    >>> leading_exponents(np.array([0.0, 1.0, 1.5, 2.0, 0.25])).tolist()
    [-1048576, 1, 1, 2, -1]
    """
    exponents = np.frexp(np.asarray(magnitude, np.float64))[1].astype(np.int64)
    return np.where(magnitude > 0, exponents, NO_BIT)


def powers_of_two(exponents: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``2**exponent`` for exponents from -1022 to 1023, those of normal numbers of binary64: faster than ldexp.

    >>> powers_of_two(np.array([0, 3, -1022])).tolist()
    [1.0, 8.0, 2.2250738585072014e-308]
    """
    return ((exponents + 1023) << 52).view(np.float64)


def signed_step_exponents(magnitude: NDArray[np.floating[Any]], word_bits: int) -> NDArray[np.int64]:
    """Return the least s such that ``magnitude <= (2**(word_bits - 1) - 1) * 2**s``: no code clips, rounded or not.

    One more than the leading bit says where the largest magnitude lies above the largest code; 0 for magnitude zero.

    >>> signed_step_exponents(np.array([127.0, 127.5, 0.0]), 8).tolist()
    [0, 1, 0]
    """
    wide = np.asarray(magnitude, np.float64)
    exponents = leading_exponents(wide) - (word_bits - 1)
    largest = float((1 << (word_bits - 1)) - 1)
    step = np.where(wide > 0, exponents, 0)
    return step + (wide > np.ldexp(largest, step))
