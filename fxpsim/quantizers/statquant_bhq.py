r"""StatQuant's block Householder quantizer (BHQ): rows are mixed in groups, then quantized per row.

.. math:: Q(X) = T^{-1} \left[ S^{-1} \mathrm{SR}(S (T X - z \mathbf 1^T)) + z \mathbf 1^T \right]

A batch whose gradient sits in few rows is spread over all rows, which share the codes' range
(:mod:`fxpsim.quantizers.householder`). The inverse is linear in the rows, so it is applied to the result of the
contraction, outside the low-bit multiplier: ``N`` times the *output* width additions. One or two rows, and a tensor
whose rows are all constant, fall back to PSQ. A zero row of a group does not come out exactly zero: its share of the
group's noise is what the method trades.

Source: Chen et al., "A statistical framework for low-bitwidth training of deep neural networks", NeurIPS 2020 (arXiv
2010.14298), after the authors' code. Sizes are the rows' ranges; the epsilon of 1e-8 is left out unless asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxpsim.array import QTensor
from fxpsim.kernels.cast import storage_dtype
from fxpsim.kernels.coding.householder import code_mixed, mixed_ranges, unmixed_zeros
from fxpsim.kernels.coding.rounding import MODES
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Tally, TensorQuantizer
from fxpsim.quantizers.householder import block_householder
from fxpsim.quantizers.inputs import error_share, ranges_of, rounding_of, source_of_words, values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import random_words
from fxpsim.quantizers.statquant_psq import affine, encode_rows, row_reading


@tensor_quantizers.register("statquant_bhq")
@dataclass(frozen=True, kw_only=True)
class StatQuantBHQ(TensorQuantizer):
    """Affine codes per row of a block Householder transform of the rows.

    Parameters
    ----------
    rounding : Rounding
        How values are brought onto the grid.
    epsilon : float
        Added to every row's size, and at both ends of the transformed rows' ranges; 1e-8 as published.

    Examples
    --------
    >>> x = np.zeros((4, 2), np.float32)
    >>> x[0] = [-8, 8]
    >>> encoded = StatQuantBHQ().encode(x, bits=8, random=RandomBits(seed=1))
    >>> bool((abs(encoded.value - x) <= encoded.error_bound()).all())
    True
    """

    rounding: Rounding = Rounding.STOCHASTIC
    epsilon: float = 0.0

    evidence = Evidence.CODE
    source = "StatQuant (arXiv 2010.14298)"
    widths = (2, 16)
    signed_codes = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", rounding_of(self.rounding, "StatQuantBHQ"))

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn."""
        return self.rounding is Rounding.STOCHASTIC

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`."""
        values, word_bits = values_of(x, self, measured=True), word_of(bits, self)
        source = source_of_words(random, self.rounding, "StatQuantBHQ")
        ends = ranges_of(values, self, runs=len(values))
        transform = block_householder(ends[1] - ends[0] + self.epsilon)
        if all(len(group) == 1 for group in transform.groups):
            return encode_rows(values, ends, word_bits, self.rounding, source, epsilon=self.epsilon)
        rows = values.reshape(len(values), -1)
        word = FixedFormat(word_bits=word_bits, frac_bits=0, signed=False)
        groups = transform.joined
        low, factor, step = affine(mixed_ranges(rows, groups), word, self.epsilon)
        codes = code_mixed(
            rows,
            groups,
            low,
            factor,
            storage_dtype(word.word_bits, word.signed),
            largest=word.max_code,
            mode=MODES[self.rounding],
            words=random_words(source, values.size) if source is not None else np.zeros(1, np.uint32),
        )
        zeros, vanished = unmixed_zeros(codes, groups, step, low, rows)
        return Encoded(
            codes=codes.reshape(values.shape),
            format=word,
            reading=row_reading(step, low, values.ndim),
            error_share=error_share(self.rounding),
            transform=transform,
            tally=Tally(values.size - zeros, vanished, 0),
        )
