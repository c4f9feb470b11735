r"""StatQuant's per-tensor quantizer (PTQ): affine by smallest and largest element.

.. math:: c = \mathrm{round}((x - z) s), \qquad s = B / (\max x - z), \quad B = 2^b - 1

Without alignment z is the smallest element. As published (``zero_aligned``), the interval is stretched to hold zero,
:math:`q_0 = \lfloor -z \, s_0 \rfloor` becomes the integer code of zero and :math:`s = q_0 / (-z)`: the step grows by
up to :math:`(q_0 + 1) / q_0`. The published code divides by zero for :math:`q_0 = 0`, that is for :math:`\max /
|\min| \ge 2^b - 2` and for nonnegative tensors; here the interval then starts at zero (:math:`q_0 = 0, s = B /
\max`), and smaller elements become zero. The published code rounds :math:`x s + q_0` half to even, ours :math:`x s`:
ties may differ by a step where :math:`q_0` is odd. Epsilons (1e-8 in the published code) are zero unless asked for:
with them a tensor of constants, or of tiny gradients, turns into noise.

Source: Chen et al., "A statistical framework for low-bitwidth training of deep neural networks", NeurIPS 2020
(arXiv 2010.14298), after the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor, Scale
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, TensorQuantizer
from fxpsim.quantizers.inputs import error_share, ranges_of, rounding_of, source_of_words, values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import counted_rows, reaches, zero_codes


@tensor_quantizers.register("statquant_ptq")
@dataclass(frozen=True, kw_only=True)
class StatQuantPTQ(TensorQuantizer):
    """Affine min-max codes with one step per tensor.

    Parameters
    ----------
    zero_aligned : bool
        Whether zero is a code, as published for this quantizer.
    rounding : Rounding
        ``stochastic`` for errors, ``half_even`` for weights and activations.
    epsilon : float
        Widens the interval at both ends, in units of x; 1e-8 as published.

    Examples
    --------
    >>> x = np.array([-1.0, 0.0, 2.0], np.float32)
    >>> StatQuantPTQ(rounding="half_even").encode(x, bits=4).codes
    array([ 0,  5, 15], dtype=uint8)
    """

    zero_aligned: bool = True
    rounding: Rounding = Rounding.STOCHASTIC
    epsilon: float = 0.0

    evidence = Evidence.CODE
    source = "StatQuant (arXiv 2010.14298)"
    widths = (2, 16)
    signed_codes = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", rounding_of(self.rounding, "StatQuantPTQ"))

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn."""
        return self.rounding is Rounding.STOCHASTIC

    def reference(self, x: Array | QTensor, *, bits: Bits) -> NDArray[np.float64]:
        """Return x; without its negative elements where zero has no code below it."""
        values = super().reference(x, bits=bits)
        if not self.zero_aligned:
            return values
        ends = float(values.min()), float(values.max())
        low, _, zero = self._interval(*ends, (1 << word_of(bits, self)) - 1)
        return values if zero else np.maximum(values, low)

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`."""
        values, word_bits = values_of(x, self, measured=True), word_of(bits, self)
        source = source_of_words(random, self.rounding, "StatQuantPTQ")
        word = FixedFormat(word_bits=word_bits, frac_bits=0, signed=False)
        ends = ranges_of(values, self)
        low, factor, zero = self._interval(float(ends[0][0]), float(ends[1][0]), word.max_code)
        first = np.array([0.0 if self.zero_aligned else low])
        step = np.array([1.0 / factor if factor > 0 else 1.0])
        of_zero = zero_codes(step, first, word, zero)
        codes, tally = counted_rows(
            values, first, np.array([factor]), of_zero, word, base=zero, rounding=self.rounding, random=source
        )
        if reaches(*ends, step, first, word, zero):
            tally = tally._replace(saturated=0)
        reading = Linear(scale=Scale.per_tensor(float(step[0]), zero), offset=float(first[0]))
        share = error_share(self.rounding)
        return Encoded(codes=codes, format=word, reading=reading, error_share=share, tally=tally)

    def _interval(self, least: float, most: float, largest: int) -> tuple[float, float, int]:
        """Return the low end, the factor (0 for a constant tensor) and the code of zero."""
        low, high = least - self.epsilon, most + self.epsilon
        if not self.zero_aligned:
            return low, _ratio(largest, high - low), 0
        low, high = min(low, 0.0), max(high, 0.0)
        zero = int(np.floor(-low * _ratio(largest, high - low)))
        if zero == 0:
            return 0.0, _ratio(largest, high), 0
        return low, _ratio(zero, -low), zero


def _ratio(codes: int, extent: float) -> float:
    return codes / extent if extent > 0 else 0.0
