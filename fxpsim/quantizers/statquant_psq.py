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
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, RowTransform, TensorQuantizer
from fxpsim.quantizers.inputs import error_share, rounding_of, source_of_words, values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import round_rows


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
        values, word_bits = values_of(x, self), word_of(bits, self)
        source = source_of_words(random, self.rounding, "StatQuantPSQ")
        if self.axis == -1 and values.ndim > 1:
            turned = np.ascontiguousarray(np.moveaxis(values, -1, 0))
            rows = encode_rows(turned, word_bits, self.rounding, source, epsilon=self.epsilon)
            return _turned_back(rows)
        return encode_rows(values, word_bits, self.rounding, source, epsilon=self.epsilon)


def encode_rows(
    values: NDArray[Any],
    word_bits: int,
    rounding: Rounding,
    random: RandomBits | None,
    *,
    epsilon: float = 0.0,
    transform: RowTransform | None = None,
) -> Encoded:
    """Encode every row by its own range; ``transform`` is what was already applied to the rows."""
    word = FixedFormat(word_bits=word_bits, frac_bits=0, signed=False)
    rows = values.reshape(len(values), -1)
    low = rows.min(axis=1).astype(np.float64) - epsilon
    extent = (rows.max(axis=1).astype(np.float64) + epsilon) - low
    factor = np.divide(word.max_code, extent, out=np.zeros_like(extent), where=extent > 0)
    codes = round_rows(values, low, factor, word, rounding=rounding, random=random)
    step = np.where(extent > 0, extent / word.max_code, 1.0)
    shape = (-1,) + (1,) * (values.ndim - 1)
    reading = Linear(scale=Scale.per_channel(step, axis=0, ndim=values.ndim), offset=low.reshape(shape))
    return Encoded(codes=codes, format=word, reading=reading, error_share=error_share(rounding), transform=transform)


def _turned_back(rows: Encoded) -> Encoded:
    """Return an encoding whose first axis was the last one of the tensor."""
    linear = rows.linear("StatQuantPSQ")
    step, offset = (np.moveaxis(np.asarray(a), 0, -1) for a in (linear.scale.step, linear.offset))
    return Encoded(
        codes=np.ascontiguousarray(np.moveaxis(rows.codes, 0, -1)),
        format=rows.format,
        reading=Linear(scale=Scale(step=step), offset=offset),
        error_share=rows.error_share,
    )
