r"""StatQuant's per-sample quantizer (PSQ): affine by the range of each row.

.. math:: c_i = \mathrm{SR}((x_i - z_i) s_i), \qquad z_i = \min x_i, \quad s_i = B / (\max x_i - z_i), \quad B = 2^b - 1

Rows are the samples (axis 0, the rest flattened). The variance is at most :math:`\frac{D}{4 B^2} \sum_i R(x_i)^2`,
never above that of PTQ without alignment. Steps vary along axis 0: the codes serve the input gradient (E x W), not
the weight gradient. A row of constants is exact (no random word changes it); the published code widens every range by
1e-8 and turns such a row, zeros too, into noise of that size (``epsilon``).

Source: Chen et al., "A statistical framework for low-bitwidth training of deep neural networks", NeurIPS 2020
(arXiv 2010.14298), after the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor, Scale
from fxpsim.errors import UserError
from fxpsim.kernels.cast import storage_dtype
from fxpsim.kernels.coding.columns import code_columns
from fxpsim.kernels.coding.rounding import MODES
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, Tally, TensorQuantizer
from fxpsim.quantizers.inputs import error_share, ranges_of, rounding_of, source_of_words, values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import counted_rows, random_words, reaches, zero_codes


@tensor_quantizers.register("statquant_psq")
@dataclass(frozen=True, kw_only=True)
class StatQuantPSQ(TensorQuantizer):
    """Affine min-max codes with one step per row.

    Parameters
    ----------
    rounding : Rounding
        How values are brought onto the grid.
    epsilon : float
        Widens every range at both ends, in units of x; 1e-8 as published.
    axis : int
        The axis whose indices have a range each: 0, the samples, or -1, the channels (of a weight, its outputs).

    Examples
    --------
    >>> x = np.array([[-1.0, 0.0, 2.0], [10.0, 40.0, 25.0]], np.float32)
    >>> encoded = StatQuantPSQ(rounding="half_even").encode(x, bits=4)
    >>> encoded.codes.tolist(), encoded.value[1].tolist()
    ([[0, 5, 15], [0, 15, 8]], [10.0, 40.0, 26.0])
    """

    rounding: Rounding = Rounding.STOCHASTIC
    epsilon: float = 0.0
    axis: int = 0

    evidence = Evidence.CODE
    source = "StatQuant (arXiv 2010.14298)"
    widths = (2, 16)
    signed_codes = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", rounding_of(self.rounding, "StatQuantPSQ"))
        if self.axis not in (0, -1):
            raise UserError(f"axis is {self.axis}", where="StatQuantPSQ", expected="0 (samples) or -1 (channels)")

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn."""
        return self.rounding is Rounding.STOCHASTIC

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`."""
        values, word_bits = values_of(x, self, measured=True), word_of(bits, self)
        source = source_of_words(random, self.rounding, "StatQuantPSQ")
        if self.axis == -1 and values.ndim > 1:
            return self._encode_columns(values, word_bits, source)
        ends = ranges_of(values, self, runs=len(values))
        return encode_rows(values, ends, word_bits, self.rounding, source, epsilon=self.epsilon)

    def _encode_columns(self, values: NDArray[Any], word_bits: int, random: RandomBits | None) -> Encoded:
        """Encode every index of the last axis by its own range; random words are counted along the columns."""
        word = FixedFormat(word_bits=word_bits, frac_bits=0, signed=False)
        ends = ranges_of(values, self, columns=True)
        low, factor, step = affine(ends, word, self.epsilon)
        codes, zeros, vanished = code_columns(
            values,
            low,
            factor,
            zero_codes(step, low, word),
            storage_dtype(word.word_bits, word.signed),
            limits=(word.min_code, word.max_code),
            mode=MODES[self.rounding],
            words=random_words(random, values.size) if random is not None else np.zeros(1, np.uint32),
        )
        saturated = 0 if reaches(*ends, step, low, word) else None
        offset = low.reshape((1,) * (values.ndim - 1) + (-1,))
        reading = Linear(scale=Scale.per_channel(step, axis=-1, ndim=values.ndim), offset=offset)
        return Encoded(
            codes=codes,
            format=word,
            reading=reading,
            error_share=error_share(self.rounding),
            tally=Tally(values.size - zeros, vanished, saturated),
        )


Ends = tuple[NDArray[np.float64], NDArray[np.float64]]


def affine(
    ends: Ends, word: FixedFormat, epsilon: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return low end, factor (0 where all elements are one number) and step of every line, for its extremes."""
    low = ends[0] - epsilon
    extent = (ends[1] + epsilon) - low
    factor = np.divide(word.max_code, extent, out=np.zeros_like(extent), where=extent > 0)
    return low, factor, np.where(extent > 0, extent / word.max_code, 1.0)


def encode_rows(
    values: NDArray[Any],
    ends: Ends,
    word_bits: int,
    rounding: Rounding,
    random: RandomBits | None,
    *,
    epsilon: float = 0.0,
) -> Encoded:
    """Encode every row by its own range, which lies between its ``ends``."""
    word = FixedFormat(word_bits=word_bits, frac_bits=0, signed=False)
    low, factor, step = affine(ends, word, epsilon)
    codes, tally = counted_rows(
        values, low, factor, zero_codes(step, low, word), word, rounding=rounding, random=random
    )
    if reaches(*ends, step, low, word):
        tally = tally._replace(saturated=0)
    return Encoded(
        codes=codes,
        format=word,
        reading=row_reading(step, low, values.ndim),
        error_share=error_share(rounding),
        tally=tally,
    )


def row_reading(step: NDArray[np.float64], low: NDArray[np.float64], ndim: int) -> Linear:
    """Return how codes with a step and a low end per row are read."""
    return Linear(scale=Scale.per_channel(step, axis=0, ndim=ndim), offset=low.reshape((-1,) + (1,) * (ndim - 1)))
