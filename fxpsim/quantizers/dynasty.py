r"""DYNASTY's blocks (released research code): block floating point of 4 x 4 tiles with 0, 2, 4, 6 or 8 bits each.

For a block with b bits, e the binary exponent of its largest magnitude:

.. math:: \mathrm{step} = 2^{e+1} / 2^{b-1}, \qquad
    c = \mathrm{clip}(\mathrm{round}(x / \mathrm{step}), -(2^{b-1} - 1), 2^{b-1} - 1)

Blocks lie over the first two axes (output and input channels of weights, sample and channel of activations), one for
each position of the others; the last ones may be shorter. A block of 0 bits is zero and skipped, and so is one with
:math:`e \le -31`, as the code's counter of skipped blocks has it. Weights and activations round to nearest, half to
even, errors stochastically; elements above the largest code clip by less than one step, so the stochastic codes are
not exactly unbiased.

Source: Liu et al., "DYNASTY", ASP-DAC 2023 (arXiv 2210.17047), as defined by a co-author's released research code
(wch18/OBAQ_2.0); the paper's own equations were not at hand. Sensitivities and the bit-width map are a policy's part,
not the quantizer's.
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
from fxpsim.quantizers.block_floating_point import block_codes, block_exponents, block_maxima
from fxpsim.quantizers.inputs import rounding_of, source_of_words, values_of
from fxpsim.quantizers.registry import tensor_quantizers

TILE = 4
WIDTHS = (0, 2, 4, 6, 8)
LEAST_LIVE_EXPONENT = -30


@tensor_quantizers.register("dynasty_blocks")
@dataclass(frozen=True, kw_only=True)
class DynastyBlocks(TensorQuantizer):
    """4 x 4 block floating point with bits per block.

    Parameters
    ----------
    rounding : Rounding
        ``half_even`` for weights and activations, ``stochastic`` for errors.
    axes : (int, int)
        The two axes that are cut into tiles. The released code's tensors have them in front; where the channels come
        last they are (0, -1) for activations and errors (sample, channel), (-2, -1) for weights (input, output).
    tile : int
        Blocks are ``tile`` x ``tile`` elements; 4 as published.

    Examples
    --------
    >>> x = np.eye(8, dtype=np.float32) + np.float32(0.25)
    >>> encoded = DynastyBlocks().encode(x, bits=np.array([[8, 0], [2, 4]]))
    >>> encoded.codes[0].tolist(), encoded.value[4:, 4].tolist()
    ([80, 16, 16, 16, 0, 0, 0, 0], [1.25, 0.25, 0.25, 0.25])
    >>> encoded.bits_histogram(), encoded.mean_bits
    ({0: 16, 2: 16, 4: 16, 8: 16}, 3.5)
    """

    rounding: Rounding = Rounding.HALF_EVEN
    axes: tuple[int, int] = (0, 1)
    tile: int = TILE

    evidence = Evidence.RELEASED
    source = "DYNASTY (arXiv 2210.17047), released research code of a co-author"
    takes_codes = True
    widths = (0, 8)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", rounding_of(self.rounding, "DynastyBlocks"))
        object.__setattr__(self, "axes", tuple(self.axes))
        if not isinstance(self.tile, int) or self.tile < 1:
            raise UserError(f"tile is {self.tile}", where="DynastyBlocks", expected="at least 1 element")
        if self.axes not in ((0, 1), (0, -1), (-2, -1)):
            raise UserError(f"axes are {self.axes}", where="DynastyBlocks", expected="(0, 1), (0, -1) or (-2, -1)")

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn."""
        return self.rounding is Rounding.STOCHASTIC

    @property
    def unbiased(self) -> bool:
        """Never exactly: the largest elements of a block may clip."""
        return False

    def reference(self, x: Array | QTensor, *, bits: Bits) -> NDArray[np.float64]:
        """Return x with the skipped blocks zero."""
        values = super().reference(x, bits=bits)
        flat, _ = self._flat(values)
        live = block_exponents(block_maxima(flat, (self.tile, self.tile))) >= LEAST_LIVE_EXPONENT
        live = live & (self._bits_map(bits, flat) > 0)
        kept = np.repeat(np.repeat(live, self.tile, axis=0), self.tile, axis=2)[: flat.shape[0], :, : flat.shape[2]]
        return self._back(flat * kept, values.shape)

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`.

        ``bits`` is one of 0, 2, 4, 6, 8, or an array of them with one entry per block: (ceil(R / 4), ceil(C / 4)), R
        and C the lengths of ``axes``, followed by the tensor's other axes. The scale's ``word_bits`` are those used.
        """
        values = values_of(x, self)
        source = source_of_words(random, self.rounding, "DynastyBlocks")
        flat, cut = self._flat(values)
        block = (self.tile, self.tile)
        exponents = block_exponents(block_maxima(flat, block))
        used = np.where(exponents >= LEAST_LIVE_EXPONENT, self._bits_map(bits, flat), 0)
        codes, step, tally = block_codes(flat, block, exponents, used, self.rounding, source, turned=True)
        shape = tuple(-(-n // length) for n, length in zip(values.shape, cut, strict=True))
        word = FixedFormat(word_bits=max(int(used.max()), 2), frac_bits=0, signed=True)
        scale = Scale(step=self._back(step, shape), word_bits=self._back(used, shape), block=cut)
        return Encoded(
            codes=self._back(codes, values.shape),
            format=word,
            reading=Linear(scale=scale),
            error_share=1.0,
            tally=tally,
        )

    def _flat(self, values: NDArray[Any]) -> tuple[NDArray[Any], tuple[int, ...]]:
        """Return a tensor as (rows, positions, columns), tiles over rows and columns, and the tiles of its own axes."""
        tile, more = self.tile, (1,) * max(values.ndim - 2, 0)
        if values.ndim == 1:  # a row of its own: blocks of 4 elements
            return values.reshape(1, 1, -1), (tile,)
        if values.ndim == 2 or self.axes == (0, -1):
            return values.reshape(len(values), -1, values.shape[-1]), (tile, *more, tile)
        if self.axes == (0, 1):
            flat = values.reshape(*values.shape[:2], -1)
            return np.ascontiguousarray(flat.swapaxes(1, 2)), (tile, tile, *more)
        flat = values.reshape(-1, *values.shape[-2:])
        return np.ascontiguousarray(flat.swapaxes(0, 1)), (*more, tile, tile)

    def _back(self, flat: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array of elements or blocks with the tensor's axes."""
        if len(shape) > 2 and self.axes == (0, 1):
            flat = flat.swapaxes(1, 2)
        if len(shape) > 2 and self.axes == (-2, -1):
            flat = flat.swapaxes(0, 1)
        return np.ascontiguousarray(flat).reshape(shape)

    def _bits_map(self, bits: Bits, flat: NDArray[Any]) -> NDArray[np.int64]:
        """Return the bits of every block, which are given for (row blocks, column blocks, positions)."""
        tile = self.tile
        blocks = (-(-flat.shape[0] // tile), -(-flat.shape[2] // tile), flat.shape[1])
        given = np.asarray(bits)
        if given.dtype.kind not in "iu" or not np.isin(given, WIDTHS).all():
            raise UserError(f"bits are {bits!r}", where="DynastyBlocks", expected="0, 2, 4, 6 or 8 for every block")
        wide = given.astype(np.int64)
        if given.ndim == 3 and given.shape[1:] == blocks[1:] and given.shape[0] == 1:
            wide = np.broadcast_to(wide, blocks)  # one map for all rows of blocks
        elif given.ndim and given.size != np.prod(blocks):
            raise UserError(
                f"bits of shape {given.shape} for {blocks[0]} x {blocks[1]} x {blocks[2]} blocks",
                where="DynastyBlocks",
                expected=f"one entry per block of {tile} x {tile} over the two axes, at each position of the others",
            )
        else:
            wide = wide.reshape(blocks) if given.ndim else np.full(blocks, wide)
        return wide.swapaxes(1, 2)
