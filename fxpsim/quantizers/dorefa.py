r"""DoReFa: weights by tanh, activations in [0, 1], gradients symmetric per sample.

With :math:`\mathrm{quantize}_k(r) = \mathrm{round}(B r) / B`, :math:`B = 2^k - 1`:

- *weight*: :math:`2 \, \mathrm{quantize}_k(\tanh w / (2 \max |\tanh w|) + 1/2) - 1`; for one bit
  :math:`\mathrm{mean}|w| \cdot \mathrm{sign}\, w` with sign(0) = 1. Zero is no code for k > 1.
- *activation*: :math:`\mathrm{quantize}_k(\mathrm{clip}(x, 0, 1))`.
- *gradient*, for each sample i with :math:`m_i = \max |r_i|`:
  :math:`2 m_i (\mathrm{quantize}_k(r / (2 m_i) + 1/2 + \mathrm{noise}) - 1/2)`, noise uniform within half a step; a
  symmetric per-sample quantizer. A sample of zeros stays zero (0/0 in the published code).

tanh is ours, in binary64 from additions, products and divisions and rounded to binary32
(:func:`fxpsim.kernels.curves.curve_float`), so that codes are the same on every platform; the weights are taken to
binary32 for it.

Source: Zhou et al., "DoReFa-Net" (arXiv 1606.06160), after the authors' code in tensorpack.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor, Scale
from fxpsim.kernels.curves import Curve, curve_float
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, TensorQuantizer
from fxpsim.quantizers.inputs import error_share, source_of_words, values_of, word_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import round_rows


class Role(StrEnum):
    """What a tensor is in a layer, for methods that treat them differently."""

    WEIGHT = "weight"
    ACTIVATION = "activation"
    GRADIENT = "gradient"


@tensor_quantizers.register("dorefa")
@dataclass(frozen=True, kw_only=True)
class DoReFa(TensorQuantizer):
    """DoReFa's three quantizers.

    Parameters
    ----------
    role : Role
        ``weight``, ``activation`` or ``gradient`` (of the layer's output).

    Examples
    --------
    >>> x = np.array([-0.5, 0.2, 0.6, 3.0], np.float32)
    >>> DoReFa(role="activation").encode(x, bits=2).value.tolist()
    [0.0, 0.3333333333333333, 0.6666666666666666, 1.0]
    >>> DoReFa(role="weight").encode(np.array([0.25, -0.75, 0.0], np.float32), bits=1).value.round(3).tolist()
    [0.333, -0.333, 0.333]
    """

    role: Role

    evidence = Evidence.CODE
    source = "DoReFa-Net (arXiv 1606.06160)"
    widths = (1, 16)
    signed_codes = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn: for gradients."""
        return self.role is Role.GRADIENT

    @property
    def rounding(self) -> Rounding:
        """How values are brought onto the grid."""
        return Rounding.STOCHASTIC if self.stochastic else Rounding.HALF_EVEN

    def reference(self, x: Array | QTensor, *, bits: Bits) -> NDArray[np.float64]:
        """Return squashed weights (mean magnitude times sign for one bit), clipped activations, or the gradient."""
        values = super().reference(x, bits=bits)
        match self.role:
            case Role.WEIGHT if word_of(bits, self) == 1:
                return _mean_magnitude(values) * np.where(values < 0, -1.0, 1.0)
            case Role.WEIGHT:
                squashed, top = _squash(values)
                return squashed / top
            case Role.ACTIVATION:
                return np.clip(values, 0.0, 1.0)
            case Role.GRADIENT:
                return values

    def slope(self, x: Array | QTensor, *, bits: Bits) -> tuple[Array, int | None] | None:
        """Return the derivative of tanh over the largest (a constant here), or where an activation is not clipped."""
        values = super().reference(x, bits=bits)
        match self.role:
            case Role.ACTIVATION:
                return ((values >= 0) & (values <= 1)).astype(np.int8), 0
            case Role.WEIGHT if word_of(bits, self) > 1:
                squashed, top = _squash(values)
                return ((1.0 - squashed * squashed) / top).astype(np.float32), None
        return None

    def saturated(self, x: Array | QTensor, encoded: Encoded) -> int:
        """Return how many activations were clipped; the others have their range from the tensor."""
        if self.role is not Role.ACTIVATION:
            return 0
        values = super().reference(x, bits=1)
        return int(np.count_nonzero((values < 0) | (values > 1)))

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`."""
        values, word_bits = values_of(x, self), word_of(bits, self)
        source = source_of_words(random, self.rounding, "DoReFa")
        word = FixedFormat(word_bits=word_bits, frac_bits=0, signed=False)
        match self.role:
            case Role.WEIGHT if word_bits == 1:
                return _signs(values, word)
            case Role.WEIGHT:
                # tanh w / (2 top) + 1/2, times the largest code
                squashed, top = _squash(values)
                return self._affine(squashed, np.array([-top]), np.array([2.0 * top]), word, 2.0, -1.0, source)
            case Role.ACTIVATION:
                return self._affine(values, np.zeros(1), np.ones(1), word, 1.0, 0.0, source)
            case Role.GRADIENT:
                rows = values.reshape(len(values), -1)
                top = np.maximum(rows.max(axis=1), -rows.min(axis=1)).astype(np.float64)
                column = top.reshape((-1,) + (1,) * (values.ndim - 1))
                return self._affine(values, -top, 2.0 * top, word, 2.0 * column, -column, source)

    def _affine(
        self,
        values: NDArray[Any],
        low: NDArray[np.float64],
        extent: NDArray[np.float64],
        word: FixedFormat,
        decoded_extent: float | NDArray[np.float64],
        offset: float | NDArray[np.float64],
        random: RandomBits | None,
    ) -> Encoded:
        """Spread the codes over ``extent`` from ``low``; they are read over ``decoded_extent`` from ``offset``."""
        factor = np.divide(word.max_code, extent, out=np.zeros_like(extent), where=extent > 0)
        codes = round_rows(values, low, factor, word, rounding=self.rounding, random=random)
        step = np.asarray(decoded_extent, np.float64) / word.max_code
        reading = Linear(scale=Scale(step=np.where(step > 0, step, 1.0)), offset=offset)
        return Encoded(codes=codes, format=word, reading=reading, error_share=error_share(self.rounding))


def _squash(values: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """Return tanh and its largest magnitude (1 for a tensor of zeros)."""
    squashed = curve_float(values.astype(np.float32), Curve.TANH).astype(np.float64)
    return squashed, float(np.abs(squashed).max()) or 1.0


def _mean_magnitude(values: NDArray[Any]) -> float:
    """Return the mean of the magnitudes, correctly rounded before the division."""
    return math.fsum(np.abs(values).ravel().tolist()) / values.size


def _signs(values: NDArray[Any], word: FixedFormat) -> Encoded:
    mean = _mean_magnitude(values)
    reading = Linear(scale=Scale.per_tensor(2.0 * mean if mean > 0 else 1.0), offset=-mean)
    codes = (values >= 0).astype(np.uint8) if mean > 0 else np.zeros(values.shape, np.uint8)
    return Encoded(codes=codes, format=word, reading=reading, error_share=0.5)
