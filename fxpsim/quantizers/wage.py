r"""WAGE: k-bit grids of fixed range, magnitudes normalized by a power of two and then forgotten.

With :math:`\sigma = 2^{1-k}`, :math:`C(x) = \mathrm{clip}(x, \pm(1 - \sigma))` and :math:`Q(x) = \sigma \,
\mathrm{round}(x / \sigma)`:

- *weight*, *activation*: :math:`Q(C(x))`.
- *error*: :math:`Q(C(e \, 2^{-r}))`, :math:`r = \mathrm{round}(\log_2 \max |e|)`; r is thrown away (reported as
  ``exponent_discarded``).
- *gradient*: :math:`\mathrm{SR}(\eta \, g \, 2^{-r})` in units of the update grid :math:`2^{1-k}`: the learning rate
says
  by how many units the largest gradients move their weights, and the codes are subtracted from the weights' codes. The
  published code draws the sign and the magnitude apart, which is the same distribution.

r needs a leading-one detector and one comparison with :math:`\sqrt{1/2}`, no logarithm. Rounds half to even.

Source: Wu et al., "Training and inference with integers in deep neural networks", ICLR 2018 (arXiv 1802.04680), after
the authors' code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor, Scale
from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, TensorQuantizer
from fxpsim.quantizers.inputs import error_share, source_of_words, values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import round_rows

HALF_ROOT = 0.7071067811865476  # sqrt(1/2), to nearest: no binary64 number is a tie


class Role(StrEnum):
    """What a tensor is in a layer."""

    WEIGHT = "weight"
    ACTIVATION = "activation"
    ERROR = "error"
    GRADIENT = "gradient"


@tensor_quantizers.register("wage")
@dataclass(frozen=True, kw_only=True)
class Wage(TensorQuantizer):
    """WAGE's quantizers.

    Parameters
    ----------
    role : Role
        ``weight``, ``activation``, ``error`` or ``gradient``.
    learning_rate : float
        For gradients: units of the update grid that the largest gradient moves its weight (8, 1, 1/8 as published).
    layer_scale : bool
        For weights: whether the codes are read divided by WAGE's constant of the layer, the power of two nearest to
        ``1.5 * 2**(1 - k) / sqrt(3 / n)`` and at least 1, with n inputs (all axes but the last).

    Examples
    --------
    >>> encoded = Wage(role="error").encode(np.array([6.0, -1.0, 0.01], np.float32), bits=8)
    >>> encoded.codes.tolist(), encoded.exponent_discarded
    ([96, -16, 0], 3)
    """

    role: Role
    learning_rate: float = 1.0
    layer_scale: bool = False

    evidence = Evidence.CODE
    source = "WAGE (arXiv 1802.04680)"
    takes_codes = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise UserError(f"learning_rate is {self.learning_rate}", where="Wage", expected="a positive number")

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn: for gradients."""
        return self.role is Role.GRADIENT

    def reference(self, x: Array | QTensor, *, bits: Bits) -> NDArray[np.float64]:
        """Return the normalized and clipped tensor: gradients as the change of the weights."""
        values, word_bits = super().reference(x, bits=bits), word_of(bits, self)
        step, limit, scale, _ = self._constants(values, word_bits)
        return np.clip(values * scale * step, -limit * step, limit * step) / self._divisor(values, word_bits)

    def slope(self, x: Array | QTensor, *, bits: Bits) -> tuple[Array, int | None] | None:
        """Return where an activation is not clipped; gradients of weights and errors are renormalized anyway."""
        if self.role is not Role.ACTIVATION:
            return None
        step, limit, _, _ = self._constants(values := super().reference(x, bits=bits), word_of(bits, self))
        return (np.abs(values) <= limit * step).astype(np.int8), 0

    def saturated(self, x: Array | QTensor, encoded: Encoded) -> int:
        """Return how many elements lay more than half a step beyond the largest code."""
        values = super().reference(x, bits=encoded.format.word_bits)
        edge = np.abs(encoded.codes) == self._limit(encoded)
        step = encoded.linear("saturated").scale.step * self._divisor(values, encoded.format.word_bits)
        given = np.ldexp(np.abs(values[edge]), -encoded.exponent_discarded)
        if self.role is Role.GRADIENT:
            return 0  # the largest normalized gradient has a code
        return int(np.count_nonzero(given > (self._limit(encoded) + 0.5) * step))

    @staticmethod
    def _limit(encoded: Encoded) -> int:
        return encoded.format.max_code

    def _divisor(self, values: NDArray[Any], word_bits: int) -> float:
        """Return the power of two by which weights are divided."""
        if not self.layer_scale or self.role is not Role.WEIGHT:
            return 1.0
        inputs = math.prod(values.shape[:-1])
        # 1.5 sigma / sqrt(3 / n) = sqrt(0.75 sigma^2 n)
        return math.ldexp(1.0, max(0, nearest_exponent(math.sqrt(0.75 * inputs) * math.ldexp(1.0, 1 - word_bits))))

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`."""
        values, word_bits = values_of(x, self), word_of(bits, self)
        rounding = Rounding.STOCHASTIC if self.stochastic else Rounding.HALF_EVEN
        source = source_of_words(random, rounding, "Wage")
        step, limit, factor, discarded = self._constants(values, word_bits)
        word = FixedFormat(word_bits=max(limit.bit_length() + 1, 2), frac_bits=0, signed=True)
        codes = round_rows(
            values, np.zeros(1), np.array([factor]), word, rounding=rounding, random=source, limits=(-limit, limit)
        )
        return Encoded(
            codes=codes,
            format=word,
            reading=Linear(scale=Scale.per_tensor(step / self._divisor(values, word_bits))),
            error_share=error_share(rounding),
            exponent_discarded=discarded,
        )

    def _constants(self, values: NDArray[Any], word_bits: int) -> tuple[float, int, float, int]:
        """Return step, largest code, factor from values to codes, and the exponent that is thrown away."""
        step, limit = math.ldexp(1.0, 1 - word_bits), (1 << (word_bits - 1)) - 1
        if self.role in (Role.WEIGHT, Role.ACTIVATION):
            return step, limit, 1.0 / step, 0
        exponent = nearest_exponent(float(max(values.max(), -values.min())))
        if self.role is Role.ERROR:
            return step, limit, math.ldexp(1.0, word_bits - 1 - exponent), exponent
        # the largest normalized magnitude is below sqrt(2): no code clips
        return step, math.ceil(self.learning_rate * 1.5), math.ldexp(self.learning_rate, -exponent), exponent


def nearest_exponent(magnitude: float) -> int:
    """Return ``round(log2(magnitude))``, exactly; 0 for zero.

    >>> [nearest_exponent(x) for x in (1.0, 1.41, 1.42, 6.0, 0.0)]
    [0, 0, 1, 3, 0]
    """
    if magnitude == 0:
        return 0
    mantissa, exponent = math.frexp(magnitude)
    return exponent if mantissa >= HALF_ROOT else exponent - 1
