r"""Per-row quantization by shifts: PSQ with a power-of-two step per row and signed codes.

.. math:: c_i = \mathrm{SR}(x_i \, 2^{-s_i}), \qquad s_i = \min \{ s : \max |x_i| \le (2^{b-1} - 1) \, 2^s \}

Our own variant of StatQuant's PSQ for accelerators without dividers: a leading-one detector and a shifter per row, no
offset, and zero is a code. Nothing clips, so stochastic rounding is unbiased. The step is at most twice (for a
symmetric row) what an exact scale would have: at most 4 times the variance, 2.2 times on average over ranges uniform
in log2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor, Scale
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, RowTransform, TensorQuantizer
from fxpsim.quantizers.exponents import signed_step_exponents
from fxpsim.quantizers.inputs import error_share, rounding_of, source_of_words, values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import round_rows


@tensor_quantizers.register("power_of_two_rows")
@dataclass(frozen=True, kw_only=True)
class PowerOfTwoRows(TensorQuantizer):
    """Signed codes with one power-of-two step per row.

    Parameters
    ----------
    rounding : Rounding
        How values are brought onto the grid.

    Examples
    --------
    >>> x = QTensor([[100, -7], [3, 1]], "s16f4")
    >>> encoded = PowerOfTwoRows(rounding="half_even").encode(x, bits=4)
    >>> encoded.codes.tolist(), encoded.value.tolist()
    ([[6, 0], [6, 2]], [[6.0, 0.0], [0.1875, 0.0625]])
    """

    rounding: Rounding = Rounding.STOCHASTIC

    evidence = Evidence.OURS
    source = "our variant of StatQuant's PSQ (arXiv 2010.14298)"
    takes_codes = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", rounding_of(self.rounding, "PowerOfTwoRows"))

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn."""
        return self.rounding is Rounding.STOCHASTIC

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`."""
        values, word_bits = values_of(x, self), word_of(bits, self)
        source = source_of_words(random, self.rounding, "PowerOfTwoRows")
        return shift_rows(values, word_bits, self.rounding, source)


def shift_rows(
    values: NDArray[Any],
    word_bits: int,
    rounding: Rounding,
    random: RandomBits | None,
    transform: RowTransform | None = None,
) -> Encoded:
    """Encode every row with its own power-of-two step; ``transform`` is what was already applied to the rows."""
    rows = values.reshape(len(values), -1)
    exponents = signed_step_exponents(np.maximum(rows.max(axis=1), -rows.min(axis=1)), word_bits)
    word = FixedFormat(word_bits=word_bits, frac_bits=0, signed=True)
    low = np.zeros(len(rows))
    limits = (-word.max_code, word.max_code)
    codes = round_rows(values, low, np.ldexp(1.0, -exponents), word, rounding=rounding, random=random, limits=limits)
    scale = Scale.per_channel(np.ldexp(1.0, exponents), axis=0, ndim=values.ndim)
    share = error_share(rounding)
    return Encoded(codes=codes, format=word, reading=Linear(scale=scale), error_share=share, transform=transform)
