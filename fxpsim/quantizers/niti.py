r"""NITI: integer accumulators brought to b magnitude bits by a shift of the whole tensor.

.. math:: c = \mathrm{round}(a / 2^s), \qquad s = \max(0, \mathrm{bit\_length}(\max |a|) - b)

saturated to :math:`\pm(2^b - 1)`; the exponent of the tensor grows by s. Activations and errors take b = 7 (8-bit
words) and round half away from zero; weight gradients take b = 5, 4 or 3, which is the learning rate, and
pseudo-stochastic rounding. ``bits`` is the word length b + 1.

Pseudo-stochastic rounding of a magnitude :math:`q 2^s + r` draws nothing: with :math:`h = \lfloor s / 2 \rfloor` it
compares the leading part of r, ``r >> h``, with its low h bits (doubled if s is odd) and rounds up if greater. It is
biased for small shifts (+0.25 units in the last place for s = 1, -0.125 for s = 2), and badly where the low bits of
all numbers are zero.

The published code takes ceil(log2 max), which overflows the word for powers of two; bit_length does not. Defined on
integers alone. The published initialization of weights (largest magnitude 127) is not a part of this quantizer.

Source: Wang et al., "NITI: training integer neural networks using integer-only arithmetic", IEEE TPDS 2022 (arXiv
2009.13108), after the authors' code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor, Scale
from fxpsim.kernels.cast import storage_dtype
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, TensorQuantizer
from fxpsim.quantizers.inputs import source_of_words, values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import round_rows


class NitiRounding(StrEnum):
    """How NITI drops bits."""

    HALF_AWAY = "half_away"
    PSEUDO_STOCHASTIC = "pseudo_stochastic"
    STOCHASTIC = "stochastic"


@tensor_quantizers.register("niti")
@dataclass(frozen=True, kw_only=True)
class Niti(TensorQuantizer):
    """Integer codes by one shift for the tensor.

    Parameters
    ----------
    rounding : NitiRounding
        ``half_away`` (activations, errors), ``pseudo_stochastic`` (gradients), ``stochastic`` (loss).

    Examples
    --------
    >>> encoded = Niti().encode(QTensor([1000, -300, 20], "s32f0"), bits=8)
    >>> encoded.codes.tolist(), encoded.value.tolist()
    ([125, -38, 3], [1000.0, -304.0, 24.0])
    """

    rounding: NitiRounding = NitiRounding.HALF_AWAY

    evidence = Evidence.CODE
    source = "NITI (arXiv 2009.13108)"
    takes_float = False
    takes_codes = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", NitiRounding(self.rounding))

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn."""
        return self.rounding is NitiRounding.STOCHASTIC

    @property
    def unbiased(self) -> bool:
        """Never exactly: magnitudes that round up beyond the largest code saturate."""
        return False

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`."""
        values_of(x, self)
        assert isinstance(x, QTensor), "values_of refuses anything else"
        word_bits = word_of(bits, self)
        word = FixedFormat(word_bits=word_bits, frac_bits=0, signed=True)
        codes = x.codes.astype(np.int64)
        shift = max(0, int(np.abs(codes).max()).bit_length() - (word_bits - 1))
        if self.rounding is NitiRounding.PSEUDO_STOCHASTIC:
            rounded: NDArray[Any] = np.clip(pseudo_stochastic(codes, shift), -word.max_code, word.max_code)
        else:
            mode = Rounding(self.rounding.value)
            source = source_of_words(random, mode, "Niti")
            factor = np.array([math.ldexp(1.0, -shift)])
            limits = (-word.max_code, word.max_code)
            rounded = round_rows(
                codes.astype(np.float64), np.zeros(1), factor, word, rounding=mode, random=source, limits=limits
            )
        return Encoded(
            codes=rounded.astype(storage_dtype(word_bits, True)),
            format=word,
            reading=Linear(scale=Scale.per_tensor(math.ldexp(1.0, shift - x.format.frac_bits))),
            error_share=1.0,  # half a step, but saturation may cost almost a whole one
        )


def pseudo_stochastic(codes: NDArray[np.int64], shift: int) -> NDArray[np.int64]:
    """Drop ``shift`` bits of every code by NITI's comparison of the dropped bits with themselves.

    >>> pseudo_stochastic(np.array([4, 5, 6, 7, -6]), 2).tolist()
    [1, 1, 2, 1, -2]
    """
    if shift == 0:
        return codes
    magnitude = np.abs(codes)
    rest = magnitude & ((1 << shift) - 1)
    half = shift // 2
    threshold = (rest & ((1 << half) - 1)) << (shift & 1)
    return np.sign(codes) * ((magnitude >> shift) + ((rest >> half) > threshold))
