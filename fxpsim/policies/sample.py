"""A tensor as a policy sees it: integers, whatever the unit computes in.

Policies decide from sums over tensors. A float sum depends on its order; therefore a float tensor is read as integers
relative to its leading bit, and everything is summed as integers. The result depends on no order, no number of
threads, no BLAS and no math library. Tensors of a fixed-point unit are integers already: for them, nothing is float.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fxpsim.errors import UserError
from fxpsim.kernels.extent import largest_float
from fxpsim.kernels.samples import as_integers

READ_BITS = 36  # magnitude bits of a float tensor as read; a binary32 significand has 24
FINEST = 60  # fraction length beyond which nothing is read: whatever is below 2**-60 counts as zero
GRID_LIMIT = 1 << 44
CHUNK = 1 << 16  # squares of halves of 44-bit integers: a chunk's sum stays below 2**62


@dataclass(frozen=True, slots=True)
class Sample:
    """A tensor, codes or binary32, read only when asked.

    Parameters
    ----------
    array : ndarray
        Integer codes with ``frac_bits``, or binary32.
    frac_bits : int, optional
        Fraction length of the codes; None for binary32.

    Examples
    --------
    >>> x = Sample(np.array([0.5, -0.75], np.float32), None)
    >>> x.on_grid(2).tolist()
    [2, -3]
    >>> Sample(np.array([8, -12], np.int16), 4).on_grid(2).tolist()
    [2, -3]
    """

    array: np.ndarray
    frac_bits: int | None

    def integers(self) -> tuple[np.ndarray, int]:
        """Return the elements as flat int64 and their fraction length.

        Of binary32, the largest magnitude gets ``READ_BITS`` bits; elements are rounded to nearest even, exact for all
        within ``2**-12`` of the largest.
        """
        flat = self.array.reshape(-1)
        if self.frac_bits is not None:
            return flat.astype(np.int64), self.frac_bits
        largest = largest_float(flat)
        if not math.isfinite(largest):
            raise UserError(
                "a tensor holds an infinity or a NaN: the training has diverged",
                expected="finite values",
                remedy="lower the learning rate, or start with more bits",
            )
        frac_bits = min(READ_BITS - math.frexp(largest)[1], FINEST)
        return as_integers(np.ascontiguousarray(flat, np.float32), frac_bits), frac_bits

    def on_grid(self, frac_bits: int) -> np.ndarray:
        """Return the elements as flat int64 with ``frac_bits`` fractional bits, nearest even, below ``2**44``."""
        codes, point = self.integers()
        shift = point - frac_bits
        if shift >= 0:
            return np.clip(round_shift(codes, shift), -GRID_LIMIT, GRID_LIMIT)
        limit = GRID_LIMIT >> min(-shift, 62)
        return np.clip(codes, -limit, limit) << min(-shift, 62)

    def first_filter(self) -> Sample:
        """Return the weights of the first output channel (the last axis runs over outputs)."""
        return Sample(np.ascontiguousarray(self.array[..., 0]), self.frac_bits)


def round_shift(codes: np.ndarray, shift: int) -> np.ndarray:
    """Return ``codes / 2**shift`` rounded to nearest even, for ``shift >= 0`` and codes below ``2**60``.

    >>> round_shift(np.array([1, 2, 3, 5, 6, -3]), 1).tolist()
    [0, 1, 2, 2, 3, -2]
    """
    if shift == 0:
        return codes
    if shift > 61:
        return np.zeros_like(codes)
    low = codes >> shift
    rest = codes - (low << shift)
    half = np.int64(1) << (shift - 1)
    return low + ((rest > half) | ((rest == half) & (low & 1 == 1)))


def magnitude(codes: np.ndarray) -> int:
    """Return the exact sum of the magnitudes.

    >>> magnitude(np.array([3, -4]))
    7
    """
    return sum(int(np.abs(codes[at : at + CHUNK]).sum()) for at in range(0, codes.size, CHUNK))


def square_sum(codes: np.ndarray) -> int:
    """Return the exact sum of squares of integers below ``2**44``, in halves of 22 bits.

    >>> square_sum(np.array([2**40, -3]))
    1208925819614629174706185
    """
    total = 0
    for at in range(0, codes.size, CHUNK):
        part = codes[at : at + CHUNK]
        high = part >> 22
        low = part - (high << 22)
        total += (int((high * high).sum()) << 44) + (int((high * low).sum()) << 23) + int((low * low).sum())
    return total
