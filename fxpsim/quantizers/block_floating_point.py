r"""Block floating point: one shared exponent per block of a fixed shape, symmetric codes.

.. math:: e = \lfloor \log_2 \max |x| \rfloor, \qquad \mathrm{step} = 2^{e + 2 - b}, \qquad
    c = \mathrm{clip}(\mathrm{round}(x / \mathrm{step}), -(2^{b-1} - 1), 2^{b-1} - 1)

With blocks of 32 along the contraction and ``bits=8`` this is MXINT8 of the OCP Microscaling Formats (MX)
specification 1.0 (2023): an E8M0 scale, exponents held to -127..127, and elements with 6 fractional bits, symmetric
as in Microsoft's emulation library (microxcaling), whose int4 and int2 are ``bits=4`` and ``bits=2``. Elements above
the largest code clip, by less than one step; ``headroom`` (ours) raises the exponent of such a block by one instead,
which makes stochastic rounding unbiased. Blocks are cut from the tensor as it is; the last ones may be shorter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor, Scale
from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, TensorQuantizer
from fxpsim.quantizers.exponents import leading_exponents
from fxpsim.quantizers.inputs import rounding_of, source_of_words, values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import round_blocks

LEAST_EXPONENT, LARGEST_EXPONENT = -127, 127
"""What 8 bits of shared exponent say (E8M0)."""


@tensor_quantizers.register("block_floating_point")
@dataclass(frozen=True, kw_only=True)
class BlockFloatingPoint(TensorQuantizer):
    """Codes with one 8-bit exponent per block along one axis.

    Parameters
    ----------
    block : int
        Elements per block.
    axis : int
        The axis that is cut into blocks, the one that a GEMM contracts: 0, -1, or -2 (of a weight, its inputs).
    rounding : Rounding
        How values are brought onto the grid.
    headroom : bool
        Whether a block whose largest element would clip takes the next exponent.

    Examples
    --------
    >>> x = np.array([[1.0, -0.25, 0.5, 0.0], [96.0, 3.0, 1.0, 2.0]], np.float32)
    >>> encoded = BlockFloatingPoint(block=2).encode(x, bits=4)
    >>> encoded.codes.tolist()
    [[4, -1, 4, 0], [6, 0, 2, 4]]
    >>> encoded.value.tolist()
    [[1.0, -0.25, 0.5, 0.0], [96.0, 0.0, 1.0, 2.0]]
    """

    block: int = 32
    axis: int = -1
    rounding: Rounding = Rounding.HALF_EVEN
    headroom: bool = False

    evidence = Evidence.STANDARD
    source = "OCP Microscaling Formats (MX) Specification 1.0, MXINT8, after microxcaling; other widths likewise"
    takes_codes = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", rounding_of(self.rounding, "BlockFloatingPoint"))
        if self.block < 1:
            raise UserError(f"block is {self.block}", where="BlockFloatingPoint", expected="at least 1 element")
        if self.axis not in (0, -1, -2):
            raise UserError(f"axis is {self.axis}", where="BlockFloatingPoint", expected="0, -1 or -2")

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn."""
        return self.rounding is Rounding.STOCHASTIC

    @property
    def unbiased(self) -> bool:
        """Whether nothing clips: elements above the largest code pull the mean down without headroom."""
        return self.stochastic and self.headroom

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`."""
        values, word_bits = values_of(x, self), word_of(bits, self)
        source = source_of_words(random, self.rounding, "BlockFloatingPoint")
        inner = self.axis == -2 and values.ndim > 2
        if inner:
            values = np.ascontiguousarray(values.swapaxes(-1, -2))
        along_rows = not inner and (self.axis != -1 or values.ndim == 1)
        flat = values.reshape(len(values), 1, -1) if along_rows else values.reshape(-1, values.shape[-1], 1)
        block = (self.block, 1) if along_rows else (1, self.block)
        exponents = block_exponents(flat, block)
        if self.headroom:
            top = np.ldexp(float((1 << (word_bits - 1)) - 1), exponents + 2 - word_bits)
            exponents = exponents + (block_maxima(flat, block) > top)
        bits_map = np.full(exponents.shape, word_bits)
        codes, step = block_codes(flat, block, exponents, bits_map, self.rounding, source)
        if along_rows:
            blocks = (-(-len(values) // self.block), *values.shape[1:])
            cut = (self.block,) + (1,) * (values.ndim - 1)
        else:
            blocks = (*values.shape[:-1], -(-values.shape[-1] // self.block))
            cut = (1,) * (values.ndim - 1) + (self.block,)
        codes, step = codes.reshape(values.shape), step.reshape(blocks)
        if inner:
            codes, step = (np.ascontiguousarray(array.swapaxes(-1, -2)) for array in (codes, step))
            cut = (*cut[:-2], cut[-1], cut[-2])
        scale = Scale.per_block(step, cut)
        word = FixedFormat(word_bits=word_bits, frac_bits=0, signed=True)
        # a clipped element is off by less than one step, whatever the rounding
        share = 0.5 if self.headroom and not self.stochastic else 1.0
        return Encoded(codes=codes, format=word, reading=Linear(scale=scale), error_share=share)


def block_maxima(x: NDArray[Any], block: tuple[int, int]) -> NDArray[Any]:
    """Return the largest magnitude of every block of a tensor (R, C, P) cut along its first two axes."""
    magnitude = np.abs(x)
    for axis, length in enumerate(block):
        if length > 1:
            magnitude = np.maximum.reduceat(magnitude, np.arange(0, x.shape[axis], length), axis=axis)
    return magnitude


def block_exponents(x: NDArray[Any], block: tuple[int, int]) -> NDArray[np.int64]:
    """Return floor(log2(max |x|)) of every block, held to what 8 bits say; the least for blocks of zeros."""
    return np.clip(leading_exponents(block_maxima(x, block)) - 1, LEAST_EXPONENT, LARGEST_EXPONENT)


def block_codes(
    x: NDArray[Any],
    block: tuple[int, int],
    exponents: NDArray[np.int64],
    bits: NDArray[np.int64],
    rounding: Rounding,
    random: RandomBits | None,
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return codes and steps of a tensor (R, C, P); blocks of no bits are zero."""
    shift = exponents + 2 - bits
    largest = np.where(bits > 0, (np.int64(1) << np.maximum(bits - 1, 0)) - 1, 0)
    word = FixedFormat(word_bits=max(int(bits.max()), 2), frac_bits=0, signed=True)
    codes = round_blocks(x, block, np.ldexp(1.0, -shift), largest, word, rounding=rounding, random=random)
    return codes, np.ldexp(1.0, shift)
