"""The largest magnitude in an array of codes or floats, by all threads."""

from typing import Any

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import inline, parallel_for

_PIECE = 1 << 16  # elements of a work unit
_SOME = 16  # codes that are looked at first


@kernel
def _extents(begin, end, codes, found):
    """Note the smallest and the largest code of each piece, 0 included."""
    for piece in range(begin, end):
        part = codes[piece * _PIECE : (piece + 1) * _PIECE]
        low = high = codes.dtype.type(0)
        for i in range(part.size):
            low, high = min(low, part[i]), max(high, part[i])
        found[piece, 0], found[piece, 1] = low, high


@kernel
def _float_extents(begin, end, bits, found):
    """Note the largest magnitude of each piece of floats, by their bits: those of a NaN are largest."""
    for piece in range(begin, end):
        part = bits[piece * _PIECE : (piece + 1) * _PIECE]
        high = np.int32(0)
        for i in range(part.size):
            high = max(high, np.int32(part[i] & 0x7FFFFFFF))
        found[piece, 0] = high


@kernel
def _extent(found):
    low, high = np.int64(0), np.int64(0)
    for i in range(len(found)):
        low, high = min(low, found[i, 0]), max(high, found[i, 1])
    return low, high


def _noted(run: Any, flat: np.ndarray, dtype: Any, numbers: int) -> np.ndarray:
    """Return what a kernel notes of every piece of a flat array."""
    found = np.empty((-(-flat.size // _PIECE), numbers), dtype)
    share = parallel_for if len(found) > 1 else inline
    share(run, len(found), flat, found)
    return found


def largest_magnitude(codes: np.ndarray) -> int:
    """Return the largest ``|code|``, 0 of none.

    Parameters
    ----------
    codes : ndarray of integers

    Examples
    --------
    >>> largest_magnitude(np.array([[3, -128], [100, 0]], np.int8))
    128
    >>> largest_magnitude(np.array([-(2**63)])) == 2**63
    True
    """
    flat = np.ascontiguousarray(codes).reshape(-1)
    low, high = _extent(_noted(_extents, flat, np.int64, 2))
    return max(-int(low), int(high))  # the magnitude of -2^63 takes more than 64 bits


def largest_float(values: np.ndarray) -> float:
    """Return the largest ``|value|``, 0 of none; NaN if any is one.

    Parameters
    ----------
    values : ndarray of float32

    Examples
    --------
    >>> largest_float(np.array([0.5, -3.0], np.float32)), largest_float(np.array([np.inf, np.nan], np.float32))
    (3.0, nan)
    """
    bits = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.int32)
    found = _noted(_float_extents, bits, np.int32, 1)
    return float(found.max(initial=0).astype(np.int32).view(np.float32))


def some_magnitude(codes: np.ndarray) -> int:
    """Return a magnitude that occurs, the largest of a few codes: what is too large for it needs no look at the rest.

    Examples
    --------
    >>> some_magnitude(np.array([[3, -5], [1, 0]], np.int8))
    5
    """
    return max(map(abs, codes.reshape(-1)[:: max(1, codes.size // _SOME)].tolist()), default=0)
