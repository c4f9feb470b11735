r"""Logarithmic numbers: sign and a fixed-point logarithm of the magnitude.

.. math:: x \approx \mathrm{sign}(c) \, S \, 2^{(|c| - c_{max}) / \gamma}, \qquad c_{max} = 2^{b-1} - 1

Codes are whole exponents in units of :math:`1/\gamma` octave; products add codes. The code of largest magnitude
stands for S, the power of two at or above the tensor's largest magnitude; code 0 is zero. Magnitudes below half the
smallest number become zero, those up to it the smallest. Rounds to nearest in the logarithm: the thresholds
:math:`2^{(j + 1/2)/\gamma}` of an octave are computed from integers and compared, so no logarithm is taken and no
code depends on the platform.

Source: Zhao et al., "LNS-Madam: low-precision training in logarithmic number system using multiplicative weight
update" (arXiv 2106.13914); the format (base factor :math:`\gamma = 8`, sign and 7 bits) is reconstructed, the
authors' code was not at hand. A power of two for S and the code for zero are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor
from fxpsim.errors import UserError
from fxpsim.kernels.cast import storage_dtype
from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for
from fxpsim.numerics import FixedFormat, RandomBits
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, TensorQuantizer
from fxpsim.quantizers.inputs import values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers

LARGEST_GAMMA = 4096
UNIT = 8192


@dataclass(frozen=True, kw_only=True)
class Logarithmic:
    """Codes that are read as signed powers of ``2**(1 / gamma)``.

    Parameters
    ----------
    gamma : int
        Codes per octave.
    largest : int
        The code that stands for ``2**exponent``.
    exponent : int
        Binary exponent of the largest number.

    Examples
    --------
    >>> Logarithmic(gamma=2, largest=7, exponent=3).values(np.array([7, -5, 0, 6])).round(3).tolist()
    [8.0, -4.0, 0.0, 5.657]
    """

    gamma: int
    largest: int
    exponent: int

    def values(self, codes: Array) -> NDArray[np.float64]:
        """Return the values of codes: correctly rounded powers from a table of one octave, times a power of two."""
        magnitude = np.abs(codes.astype(np.int64))
        octave, part = np.divmod(magnitude - self.largest, self.gamma)
        values = np.ldexp(octave_points(self.gamma, halves=False)[part], octave + self.exponent)
        return np.where(magnitude == 0, 0.0, np.sign(codes) * values)

    def bound(self, codes: Array, share: float) -> NDArray[np.float64]:
        """Return ``share`` steps of the logarithm, linearized above; for zero and the smallest, half the smallest."""
        relative = 2.0 ** (share / self.gamma) - 1.0
        smallest = float(self.values(np.ones(1, np.int64))[0])
        return np.maximum(np.abs(self.values(codes)) * relative, np.where(np.abs(codes) <= 1, smallest / 2, 0.0))


@tensor_quantizers.register("logarithmic")
@dataclass(frozen=True, kw_only=True)
class LogarithmicCodes(TensorQuantizer):
    """Sign-and-logarithm codes with one power-of-two scale per tensor.

    Parameters
    ----------
    gamma : int
        Codes per octave; a power of two, 8 as published.

    Examples
    --------
    >>> x = np.array([8.0, -4.0, 0.3, 0.0], np.float32)
    >>> encoded = LogarithmicCodes(gamma=8).encode(x, bits=8)
    >>> encoded.codes.tolist(), encoded.value.round(3).tolist()
    ([127, -119, 89, 0], [8.0, -4.0, 0.297, 0.0])
    """

    gamma: int = 8

    evidence = Evidence.MEMORY
    source = "LNS-Madam (arXiv 2106.13914)"
    takes_codes = True

    def __post_init__(self) -> None:
        gamma = self.gamma
        if not isinstance(gamma, int) or gamma < 1 or gamma & (gamma - 1) or gamma > LARGEST_GAMMA:
            raise UserError(
                f"gamma is {gamma}", where="LogarithmicCodes", expected=f"a power of two from 1 to {LARGEST_GAMMA}"
            )

    @property
    def stochastic(self) -> bool:
        """Never: rounds to nearest in the logarithm."""
        return False

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`."""
        values, word_bits = values_of(x, self), word_of(bits, self)
        word = FixedFormat(word_bits=word_bits, frac_bits=0, signed=True)
        magnitude = np.abs(values.astype(np.float64))
        mantissa, exponent = np.frexp(magnitude)  # mantissa in [1/2, 1)
        top_mantissa, top = math.frexp(float(magnitude.max()))
        top -= top_mantissa == 0.5  # a power of two is its own scale
        within = _points_below(mantissa, octave_points(self.gamma, halves=True) / 2.0)
        code = word.max_code + (exponent.astype(np.int64) - 1 - top) * self.gamma + within
        reading = Logarithmic(gamma=self.gamma, largest=word.max_code, exponent=top)
        smallest = float(reading.values(np.ones(1, np.int64))[0])
        code = np.where(magnitude < smallest / 2, 0, np.clip(code, 1, word.max_code))
        signed = (np.sign(values) * code).astype(storage_dtype(word_bits, True))
        return Encoded(codes=signed, format=word, reading=reading, error_share=0.5)


def _points_below(x: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many of the rising points are at most x; their number is a power of two."""
    out = np.empty(x.shape, np.int64)
    parallel_for(_count_below, -(-x.size // UNIT), x.reshape(-1), points, out.reshape(-1))
    return out


@kernel
def _count_below(begin, end, x, points, out):
    first, last = begin * UNIT, min(end * UNIT, x.size)
    xs, counts = x[first:last], out[first:last]
    for i in range(xs.size):
        count, stride = 0, points.size
        while stride > 0:
            if count + stride <= points.size and points[count + stride - 1] <= xs[i]:
                count += stride
            stride >>= 1
        counts[i] = count


@cache
def octave_points(gamma: int, *, halves: bool) -> NDArray[np.float64]:
    """Return ``2**(j / gamma)``, or ``2**((j + 1/2) / gamma)`` with ``halves``, for j from 0 to gamma - 1.

    Rounded down to binary64, from square roots of integers of 256 bits: gamma is a power of two.

    >>> octave_points(2, halves=False).tolist()
    [1.0, 1.414213562373095]
    """
    steps = 2 * gamma if halves else gamma
    points = []
    for j in range(gamma):
        index = 2 * j + 1 if halves else j
        # 2**(index / steps) by bits of index / steps, each a repeated square root of 2
        value, root, bit = 1 << 256, 2 << 256, steps
        while bit > 1:
            bit //= 2
            root = math.isqrt(root << 256)
            if index & bit:
                value = value * root >> 256
        points.append(math.ldexp(value >> (256 - 52), -52))
    return np.array(points)
