r"""Fixed point with a fraction length for every element (or slice), as high-granularity quantization trains it.

.. math:: q(x) = 2^{-f} \lfloor 2^f x + 1/2 \rfloor

``bits`` is f, an array that broadcasts against the tensor. The magnitude bits of a code are what its value needs,
:math:`\max(0, \mathrm{bit\_length}(c))`: a weight of no bits is zero, and pruned. Effective bit operations (EBOPs) of a
product add bits(a) bits(w) over all multiplications; the sign is not counted.

Source: Sun et al., "Gradient-based automatic per-weight mixed precision quantization for neural networks on FPGA"
(HGQ, arXiv 2405.00645), after the authors' code (rounding mode RND of weights). Learning f is a method's part: the
gradient is :math:`\partial q / \partial f = \ln 2 \, (x - q)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor, Scale
from fxpsim.errors import UserError
from fxpsim.kernels.cast import storage_dtype
from fxpsim.numerics import FixedFormat, RandomBits
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, TensorQuantizer
from fxpsim.quantizers.inputs import values_of
from fxpsim.quantizers.registry import tensor_quantizers

LARGEST_WORD = 32


@tensor_quantizers.register("hgq")
@dataclass(frozen=True, kw_only=True)
class HighGranularity(TensorQuantizer):
    """Codes with a power-of-two step per element.

    Examples
    --------
    >>> w = np.array([0.8, -0.3, 0.1], np.float32)
    >>> encoded = HighGranularity().encode(w, bits=np.array([3, 1, 1]))
    >>> encoded.codes.tolist(), encoded.value.tolist(), magnitude_bits(encoded).tolist()
    ([6, -1, 0], [0.75, -0.5, 0.0], [3, 1, 0])
    """

    evidence = Evidence.CODE
    source = "HGQ (arXiv 2405.00645)"
    takes_codes = True
    widths = (-23, 23)
    bits_are_words = False

    @property
    def stochastic(self) -> bool:
        """Never: rounds half up."""
        return False

    def histogram(self, encoded: Encoded) -> dict[int, int] | None:
        """Return the elements by the bits of their magnitudes, as EBOPs count them; 0 is pruned."""
        bits, counts = np.unique(magnitude_bits(encoded), return_counts=True)
        return dict(zip(bits.tolist(), counts.tolist(), strict=True))

    def saturated(self, x: Array | QTensor, encoded: Encoded) -> int:
        """Return none: words grow with the codes."""
        return 0

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`. ``bits`` is the fraction length, -23 to 23."""
        values = values_of(x, self)
        frac_bits = _frac_bits(bits, values.shape)
        scaled = np.ldexp(values.astype(np.float64), frac_bits)
        # scaled + 1/2 would itself be rounded; the comparison is right for every number
        whole = np.floor(scaled)
        codes = whole + (scaled - whole >= 0.5)
        word_bits = max(int(np.abs(codes).max()).bit_length() + 1, 2)
        if word_bits > LARGEST_WORD:
            raise UserError(
                f"codes need {word_bits} bits",
                where="HighGranularity",
                expected=f"at most {LARGEST_WORD} bits, sign included",
                remedy="use fewer fractional bits for large elements",
            )
        return Encoded(
            codes=codes.astype(storage_dtype(word_bits, True)),
            format=FixedFormat(word_bits=word_bits, frac_bits=0, signed=True),
            reading=Linear(scale=Scale(step=np.ldexp(1.0, -frac_bits))),
            error_share=0.5,
        )


def magnitude_bits(encoded: Encoded) -> NDArray[np.int64]:
    """Return the bits that the magnitude of every code needs, sign not counted; 0 for zero."""
    return np.frexp(np.abs(encoded.codes.astype(np.float64)))[1].astype(np.int64)


def aligned(encoded: Encoded) -> QTensor:
    """Return the codes shifted to the finest step of the tensor, in one format: what a common accumulator adds.

    >>> aligned(HighGranularity().encode(np.array([0.75, -0.5], np.float32), bits=np.array([3, 1])))
    QTensor(codes=[ 6, -4], format=s4f3, value=[ 0.75, -0.5 ])
    """
    step, _ = encoded.linear("aligned").scale.full(encoded.shape)
    exponents = np.frexp(step)[1].astype(np.int64) - 1
    finest = int(exponents.min())
    reach = np.abs(encoded.codes.astype(np.float64)) * np.ldexp(1.0, exponents - finest)
    word_bits = int(reach.max()).bit_length() + 1
    codes = encoded.codes.astype(np.int64) << (exponents - finest)
    return QTensor(codes, FixedFormat(word_bits=max(word_bits, 2), frac_bits=-finest, signed=True))


def _frac_bits(bits: Bits, shape: tuple[int, ...]) -> NDArray[np.int64]:
    given = np.asarray(bits)
    low, high = HighGranularity.widths
    if given.dtype.kind not in "iu" or given.size == 0 or given.min() < low or given.max() > high:
        raise UserError(f"bits are {bits!r}", where="HighGranularity", expected=f"whole numbers from {low} to {high}")
    try:
        return np.broadcast_to(given.astype(np.int64), shape)
    except ValueError as error:
        raise UserError(
            f"bits of shape {given.shape} for a tensor of shape {shape}",
            where="HighGranularity",
            expected="one fraction length per element, or an array that broadcasts",
        ) from error
