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
from fxpsim.kernels.cast import storage_dtype
from fxpsim.kernels.coding.blocks import code_blocks, magnitude_bits
from fxpsim.kernels.coding.rounding import MODES
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, Tally, TensorQuantizer
from fxpsim.quantizers.exponents import leading_exponents, powers_of_two
from fxpsim.quantizers.inputs import rounding_of, source_of_words, values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import random_words

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
        if not inner and (self.axis != -1 or values.ndim == 1):
            flat, block = values.reshape(len(values), 1, -1), (self.block, 1)
            blocks = (-(-len(values) // self.block), *values.shape[1:])
            cut = (self.block,) + (1,) * (values.ndim - 1)
        else:
            flat, block = values.reshape(1, -1, values.shape[-1]), (1, self.block)
            blocks = (*values.shape[:-1], -(-values.shape[-1] // self.block))
            cut = (1,) * (values.ndim - 1) + (self.block,)
        maxima = block_maxima(flat, block)
        exponents = block_exponents(maxima)
        if self.headroom:
            top = np.ldexp(float((1 << (word_bits - 1)) - 1), exponents + 2 - word_bits)
            exponents = exponents + (maxima > top)
        bits_map = np.full(exponents.shape, word_bits)
        codes, step, tally = block_codes(flat, block, exponents, bits_map, self.rounding, source)
        codes, step = codes.reshape(values.shape), step.reshape(blocks)
        if inner:
            codes, step = (np.ascontiguousarray(array.swapaxes(-1, -2)) for array in (codes, step))
            cut = (*cut[:-2], cut[-1], cut[-2])
        # a clipped element is off by less than one step, whatever the rounding
        share = 0.5 if self.headroom and not self.stochastic else 1.0
        return Encoded(
            codes=codes,
            format=FixedFormat(word_bits=word_bits, frac_bits=0, signed=True),
            reading=Linear(scale=Scale.per_block(step, cut)),
            error_share=share,
            tally=tally,
        )


def block_maxima(x: NDArray[Any], block: tuple[int, int]) -> NDArray[Any]:
    """Return the largest magnitude of every block of a tensor (R, P, C) cut along its first and last axis."""
    if x.dtype == np.float32:
        return magnitude_bits(x, block).view(np.float32)
    magnitude = np.abs(x)
    for axis, length in zip((0, 2), block, strict=True):
        if length > 1:
            magnitude = np.maximum.reduceat(magnitude, np.arange(0, x.shape[axis], length), axis=axis)
    return magnitude


def block_exponents(maxima: NDArray[Any]) -> NDArray[np.int64]:
    """Return floor(log2(max |x|)) of every block, held to what 8 bits say; the least for blocks of zeros."""
    if maxima.dtype == np.float32:
        # the exponent field, which is 0 for zeros and all that is smaller than 2**-126
        return (np.ascontiguousarray(maxima).view(np.int32).astype(np.int64) >> 23) - 127
    return np.clip(leading_exponents(maxima) - 1, LEAST_EXPONENT, LARGEST_EXPONENT)


def block_codes(
    x: NDArray[Any],
    block: tuple[int, int],
    exponents: NDArray[np.int64],
    bits: NDArray[np.int64],
    rounding: Rounding,
    random: RandomBits | None,
    *,
    turned: bool = False,
) -> tuple[NDArray[Any], NDArray[np.float64], Tally]:
    """Return codes, steps and counts of a tensor (R, P, C) cut along its first and last axis.

    Blocks of no bits are zero. With ``turned``, random words are in the order (R, C, P).
    """
    shift = exponents + 2 - bits
    word = FixedFormat(word_bits=max(int(bits.max()), 2), frac_bits=0, signed=True)
    codes, (zeros, vanished, saturated) = code_blocks(
        x,
        block,
        shift,
        bits,
        storage_dtype(word.word_bits, word.signed),
        mode=MODES[rounding],
        words=random_words(random, x.size) if random is not None else np.zeros(1, np.uint32),
        turned=turned,
    )
    return codes, powers_of_two(shift), Tally(x.size - zeros, vanished, saturated)
