r"""Affine codes with one range for the tensor and a word length of its own for every sample: FracTrain's DFQ.

.. math:: c_i = \mathrm{round}((x_i - z) \, B_i / (\max x - z)), \qquad z = \min x, \quad B_i = 2^{b_i} - 1

with :math:`b_i` the word length of sample i (axis 0). All samples share range and offset, so that samples of one word
length share their step: a product that sums over samples is as many integer products as there are word lengths.

Source: Fu et al., "FracTrain", NeurIPS 2020 (arXiv 2012.13113), after the authors' code GATECH-EIC/FracTrain, which
quantizes the whole batch once for every candidate and keeps of each pass the samples that chose it: there the range of
a layer inside a block is that of a pass, here that of the batch as it is executed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxpsim.array import QTensor, Scale
from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, Linear, TensorQuantizer
from fxpsim.quantizers.inputs import error_share, rounding_of, source_of_words, values_of
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.rounding import round_rows


@tensor_quantizers.register("affine_sample_bits")
@dataclass(frozen=True, kw_only=True)
class AffineSampleBits(TensorQuantizer):
    """Affine min-max codes, a word length per sample.

    Parameters
    ----------
    rounding : Rounding
        ``half_even`` for activations, ``stochastic`` for errors.

    Examples
    --------
    >>> x = np.array([[-1.0, 0.0, 2.0], [2.0, 1.0, 0.5]], np.float32)
    >>> encoded = AffineSampleBits(rounding="half_even").encode(x, bits=np.array([2, 4]))
    >>> encoded.codes.tolist(), encoded.value.tolist()
    ([[0, 1, 3], [15, 10, 8]], [[-1.0, 0.0, 2.0], [2.0, 1.0, 0.6000000000000001]])
    """

    rounding: Rounding = Rounding.HALF_EVEN

    evidence = Evidence.CODE
    source = "FracTrain (arXiv 2012.13113)"
    widths = (2, 16)
    signed_codes = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", rounding_of(self.rounding, "AffineSampleBits"))

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn."""
        return self.rounding is Rounding.STOCHASTIC

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`. ``bits`` is one word length, or one per sample."""
        values = values_of(x, self)
        words = self._words(bits, len(values))
        source = source_of_words(random, self.rounding, "AffineSampleBits")
        widest = FixedFormat(word_bits=int(words.max()), frac_bits=0, signed=False)
        low, high = float(values.min()), float(values.max())
        extent = high - low
        largest = (1 << words) - 1
        factor = largest / extent if extent > 0 else np.zeros(len(words))
        codes = round_rows(values, np.full(len(words), low), factor, widest, rounding=self.rounding, random=source)
        shape = (-1,) + (1,) * (values.ndim - 1)
        np.minimum(codes, largest.reshape(shape).astype(codes.dtype), out=codes)  # the largest may have rounded up
        step = extent / largest if extent > 0 else np.ones(len(words))
        scale = Scale(step=step.reshape(shape), word_bits=words.reshape(shape))
        reading = Linear(scale=scale, offset=low)
        return Encoded(codes=codes, format=widest, reading=reading, error_share=error_share(self.rounding))

    def _words(self, bits: Bits, samples: int) -> np.ndarray:
        low, high = self.widths
        given = np.asarray(bits)
        whole = given.dtype.kind in "iu" and given.ndim <= 1
        if not whole or not ((given >= low) & (given <= high)).all() or given.size not in (1, samples):
            raise UserError(
                f"bits is {bits!r} for {samples} samples",
                where="AffineSampleBits",
                expected=f"a whole number from {low} to {high}, or one for every sample",
            )
        return np.broadcast_to(given.astype(np.int64), (samples,)).copy()
