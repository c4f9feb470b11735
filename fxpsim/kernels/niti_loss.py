r"""NITI's integer cross entropy: the gradient of a softmax in powers of two, for 8-bit logits with one exponent.

With codes a and exponent e, so that a logit is :math:`a \, 2^e`:

- :math:`e > -7`: :math:`s = \lfloor \lfloor 47274 \, a / 2^{15} \rfloor 2^e \rfloor` (the logit times log2 of Euler's
  number), :math:`s' = \max(s - \max s + 10, 0)` and a weight of :math:`2^{s'} - 1`: classes more than 10 octaves below
  the best have none.
- :math:`e \le -7`, where s would be zero: the weight is :math:`2^{1-2e} + 2^{1-e} a + a^2`, that is
  :math:`1 + x + x^2/2` in other units.

A class gets :math:`\lfloor 2^{11} w / \sum w \rfloor`; the sum over the classes is taken off that of the label, so that
a row sums to zero exactly. Four bits are then dropped stochastically and the result is clipped to 127 units of
:math:`2^{-7}`.

Source: Wang et al., "NITI", IEEE TPDS 2022 (arXiv 2009.13108), after the authors' code, whose divisions are those of
binary32 under the PyTorch that it names; the algorithm's integers and shifts (toward minus infinity) are meant here.
"""

from __future__ import annotations

import numpy as np

LOG2_E_Q15 = 47274
BEST = 10  # octaves that a row spans
SHARE_BITS = 11
DROPPED_BITS = 4
GRADIENT_FRAC_BITS = SHARE_BITS - DROPPED_BITS
LARGEST = 127
SERIES_BELOW = -6  # exponents below take the series
LEAST_EXPONENT = -20  # smaller logits are shifted there: their weights would not fit 64 bits
LARGEST_EXPONENT = 40


def niti_gradient(codes: np.ndarray, exponent: int, labels: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Return the gradient codes of all rows, in units of ``2**-7``.

    Parameters
    ----------
    codes : ndarray of int64, shape (rows, classes)
        Logits as 8-bit codes.
    exponent : int
        Of all of them.
    labels : ndarray of int, shape (rows,)
        Right classes.
    words : ndarray of uint32, shape (rows, classes)
        Random words; the four leading bits count.

    Returns
    -------
    ndarray of int32

    Examples
    --------
    >>> niti_gradient(np.array([[64, 0, -64]]), -5, np.array([1]), np.zeros((1, 3), np.uint32)).tolist()
    [[100, -103, 3]]
    """
    weights = _series(codes, exponent) if exponent < SERIES_BELOW else _powers(codes, exponent)
    shares = (weights << SHARE_BITS) // weights.sum(axis=1, keepdims=True)
    rows = np.arange(len(codes))
    shares[rows, labels] -= shares.sum(axis=1)
    magnitude = np.abs(shares)
    drawn = (words >> np.uint32(32 - DROPPED_BITS)).astype(np.int64)
    up = (magnitude & ((1 << DROPPED_BITS) - 1)) > drawn
    return (np.sign(shares) * np.minimum((magnitude >> DROPPED_BITS) + up, LARGEST)).astype(np.int32)


def _powers(codes: np.ndarray, exponent: int) -> np.ndarray:
    s = codes.astype(np.int64) * LOG2_E_Q15 >> 15
    s = s << min(exponent, LARGEST_EXPONENT) if exponent >= 0 else s >> -exponent
    return (np.int64(1) << np.maximum(s - (s.max(axis=1, keepdims=True) - BEST), 0)) - 1


def _series(codes: np.ndarray, exponent: int) -> np.ndarray:
    a = codes.astype(np.int64) >> min(max(LEAST_EXPONENT - exponent, 0), 62)
    e = max(exponent, LEAST_EXPONENT)
    return (1 << (1 - 2 * e)) + (a << (1 - e)) + a * a


def shifted_codes(codes: np.ndarray, frac_bits: int) -> tuple[np.ndarray, int]:
    """Bring integer codes to 8 bits by one shift, half away from zero; return them and their exponent.

    >>> shifted_codes(np.array([[1000, -20]]), 4)
    (array([[125,  -3]]), -1)
    """
    wide = codes.astype(np.int64)
    shift = max(0, int(np.abs(wide).max(initial=0)).bit_length() - 7)
    half = (1 << shift) >> 1
    rounded = np.sign(wide) * np.minimum((np.abs(wide) + half) >> shift, LARGEST)
    return rounded, shift - frac_bits
