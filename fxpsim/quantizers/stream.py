"""A tensor quantizer in the place of a stream's quantizer: what a training run asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor
from fxpsim.numerics import FixedFormat, RandomBits
from fxpsim.quantizers.base import Bits, Encoded, Tally, TensorQuantizer
from fxpsim.quantizers.logarithmic import Logarithmic
from fxpsim.quantizers.logarithmic_matmul import LogarithmicProducts


class Counts(NamedTuple):
    """What quantizing did to a tensor, in elements."""

    elements: int
    nonzero: int
    saturated: int
    underflow: int


@dataclass(frozen=True, kw_only=True, eq=False)
class StreamCodes:
    """A tensor as the MAC array reads it: codes, steps and offsets with all axes.

    ``zero`` is what bytes hold for zero; with ``cut``, steps are those of blocks of these lengths.
    """

    codes: NDArray[Any]
    word_bits: int
    step: NDArray[np.float64]
    offset: NDArray[np.float64]
    transform: Any
    products: Any
    counts: Counts
    bits_histogram: dict[int, int] | None
    zero: int = 0
    cut: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedStream:
    """A tensor quantizer with the bits that a stream has now.

    Parameters
    ----------
    method : TensorQuantizer
        Makes the codes.
    word_bits : int
        Word length (of the widest block where they vary).
    bits : ndarray of int, optional
        What the method takes as bits where it wants an array: word length per block, fraction length per element.

    Examples
    --------
    >>> from fxpsim.quantizers import StatQuantPTQ
    >>> stream = CodedStream(method=StatQuantPTQ(rounding="half_even"), word_bits=4)
    >>> found = stream.encode_stream(np.array([[-1.0, 2.0]], np.float32), None, None)
    >>> found.codes.tolist(), found.zero, found.step.shape, found.counts
    ([[0, 15]], 5, (1, 1), Counts(elements=2, nonzero=2, saturated=0, underflow=0))
    """

    method: TensorQuantizer
    word_bits: int
    bits: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        self.method.check_width(self.word_bits)

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn."""
        return self.method.stochastic

    @property
    def signed(self) -> bool:
        """Whether the codes' word has a sign."""
        return self.method.signed_codes

    @property
    def mean_bits(self) -> float:
        """Mean word length over the blocks, as far as it is known before a tensor comes."""
        if self.bits is None or not self.method.bits_are_words:
            return self.word_bits
        return float(self.bits.mean())

    @property
    def _bits(self) -> Bits:
        return self.word_bits if self.bits is None else self.bits

    def encode_stream(self, array: NDArray[Any], frac_bits: int | None, random: RandomBits | None) -> StreamCodes:
        """Return the codes of a tensor, binary32 or integer codes with a fraction length."""
        x = _tensor(array, frac_bits)
        return stream_codes(self.method, x, self.method.encode(x, bits=self._bits, random=random), self.word_bits)

    def slope(self, array: NDArray[Any], frac_bits: int | None) -> tuple[NDArray[Any], int | None] | None:
        """Return the derivative of the method's reference, as array and fraction length; None where it is 1."""
        return self.method.slope(_tensor(array, frac_bits), bits=self._bits)


def stream_codes(method: TensorQuantizer, x: NDArray[Any] | QTensor, encoded: Encoded, word_bits: int) -> StreamCodes:
    """Return what the MAC array needs of an encoding, and the counts of what it did."""
    ones = (1,) * encoded.codes.ndim
    codes, zero, products, cut = encoded.codes, 0, None, ()
    step = offset = np.zeros(ones)
    if isinstance(encoded.reading, Logarithmic):
        products = LogarithmicProducts(reading=encoded.reading)
    else:
        linear = encoded.linear("stream_codes")
        scale = linear.scale
        # a tensor with one axis only is cut by no block: its steps vary along the line that survives
        if scale.block and encoded.codes.size > max(encoded.shape):
            cut, step = scale.block, scale.step
        else:
            step = scale.full(encoded.shape)[0] if scale.block else scale.step.reshape(scale.step.shape or ones)
        step = step.reshape(ones) if step.size == 1 and not cut else step
        offset = np.asarray(linear.offset, np.float64)
        offset = offset.reshape(ones) if offset.size == 1 else offset
        if scale.zero_point.size == 1 and codes.dtype == np.uint8:
            zero = int(scale.zero_point.reshape(()))
        elif scale.zero_point.any():
            wide = np.int16 if encoded.format.word_bits < 16 else np.int32
            codes = codes.astype(wide) - scale.full(encoded.shape)[1].astype(wide)
    return StreamCodes(
        codes=codes,
        word_bits=word_bits,
        step=step,
        offset=offset,
        transform=encoded.transform,
        products=products,
        counts=_counts(method, x, encoded),
        bits_histogram=method.histogram(encoded),
        zero=zero,
        cut=cut,
    )


def _tensor(array: NDArray[Any], frac_bits: int | None) -> NDArray[Any] | QTensor:
    if frac_bits is None:
        return array
    word = FixedFormat(word_bits=8 * array.dtype.itemsize, frac_bits=frac_bits, signed=array.dtype.kind == "i")
    return QTensor(array, word, check=False)


def _counts(method: TensorQuantizer, x: NDArray[Any] | QTensor, encoded: Encoded) -> Counts:
    tally = encoded.tally or _counted(x, encoded)
    saturated = method.saturated(x, encoded) if tally.saturated is None else tally.saturated
    return Counts(encoded.codes.size, tally.nonzero, saturated, tally.underflow)


def _counted(x: NDArray[Any] | QTensor, encoded: Encoded) -> Tally:
    """Count afterwards: the definition of what encoders count on the way."""
    zero = encoded.value == 0
    given = x.codes if isinstance(x, QTensor) else x
    nonzero = encoded.codes.size - int(np.count_nonzero(zero))
    return Tally(nonzero, int(np.count_nonzero(zero & (given != 0))))
