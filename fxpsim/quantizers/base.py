r"""What a tensor quantizer is, and what it returns.

There are two kinds of quantizer. A *format quantizer* (:mod:`fxpsim.quantizers.fixed_point`) only chooses a
:class:`~fxpsim.numerics.FixedFormat`; the vector unit casts. A *tensor quantizer* looks at the whole tensor and returns
an :class:`Encoded`: integer codes, how to read them, and, where the method mixes rows first, a transform that is undone
after the contraction:

.. math:: x \approx T^{-1} \, (\mathrm{step} \cdot (\mathrm{codes} - \mathrm{zero\ point}) + \mathrm{offset})

Which contraction an encoding allows follows from where its steps vary (:mod:`fxpsim.quantizers.contraction`):

===========================  ==================================================================================
steps vary                   allowed
===========================  ==================================================================================
nowhere (per tensor)         every contraction
per row (axis 0)             the row axis must survive: input gradients (E x W), never weight gradients
per column                   the column axis must survive
per block                    both operands in blocks of one length along K (:mod:`fxpsim.quantizers.block_matmul`)
rows mixed by a transform    as per row; :math:`T^{-1}` is applied to the rows of the result
===========================  ==================================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor, Scale
from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, RandomBits

Array = NDArray[Any]
Bits = int | NDArray[np.int64]


class Evidence(Enum):
    """How far the definition of a method was checked against its source."""

    CODE = "read in the authors' code"
    RELEASED = "released research code of a co-author; the paper itself was not at hand"
    STANDARD = "a published standard"
    MEMORY = "reconstructed; the authors' code was not at hand"
    OURS = "our own variant"


class Reading(Protocol):
    """How codes are read."""

    def values(self, codes: Array) -> NDArray[np.float64]:
        """Return what the codes stand for, before any transform is undone."""
        ...

    def bound(self, codes: Array, share: float) -> NDArray[np.float64]:
        """Return how far a value may lie from its reading, for errors of at most ``share`` steps."""
        ...


class RowTransform(Protocol):
    """An invertible linear map of the rows (axis 0) of a matrix."""

    def inverse(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return :math:`T^{-1} y` for a matrix with the encoded tensor's rows and any columns."""
        ...

    def inverse_bound(self, bound: NDArray[np.float64]) -> NDArray[np.float64]:
        r"""Return :math:`|T^{-1}| \, bound`, the bound of the error behind the transform."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear:
    """Evenly spaced codes: ``(code - zero_point) * step + offset``.

    Parameters
    ----------
    scale : Scale
        Steps and zero points per tensor, row, column or block.
    offset : float or ndarray of float64
        Value of the code at the zero point, in units of x; broadcasts against the codes. An offset that is no whole
        multiple of the step is what affine quantization without an aligned zero has.

    Examples
    --------
    >>> Linear(scale=Scale.per_tensor(0.5, 2), offset=0.25).values(np.array([1, 2]))
    array([-0.25,  0.25])
    """

    scale: Scale
    offset: float | NDArray[np.float64] = 0.0

    def values(self, codes: Array) -> NDArray[np.float64]:
        """Return the values of codes, each operation rounded to binary64."""
        return self.scale.values(codes) + self.offset

    def bound(self, codes: Array, share: float) -> NDArray[np.float64]:
        """Return ``share`` steps for every element."""
        return share * self.scale.full(codes.shape)[0]


class Tally(NamedTuple):
    """What an encoder counted on the way, in elements; ``saturated`` is None where it did not count those."""

    nonzero: int
    underflow: int
    saturated: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """A quantized tensor: codes, how to read them, what to undo after the contraction.

    Parameters
    ----------
    codes : ndarray of integers
        Codes in the shape of the tensor.
    format : FixedFormat
        The word of the codes (``frac_bits`` 0): every code lies in its range. Of the widest block where bits vary.
    reading : Linear or Logarithmic
        How to read the codes.
    error_share : float
        Largest error in steps: 1 for stochastic rounding, 1/2 for rounding to nearest.
    transform : RowTransform, optional
        The map :math:`T` that was applied to the rows before encoding.
    exponent_discarded : int
        Binary exponent that the method threw away on purpose (WAGE); the codes stand for x times two to its negative.
    tally : Tally, optional
        What was counted while the codes were made: the same as counting afterwards, in one pass less.
    """

    codes: Array
    format: FixedFormat
    reading: Reading
    error_share: float
    transform: RowTransform | None = None
    exponent_discarded: int = 0
    tally: Tally | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self.codes.shape

    @property
    def value(self) -> NDArray[np.float64]:
        """What the codes stand for, with the transform undone."""
        values = self.reading.values(self.codes)
        if self.transform is None:
            return values
        return self.transform.inverse(values.reshape(len(values), -1)).reshape(values.shape)

    def error_bound(self) -> NDArray[np.float64]:
        """Return the largest distance between the quantizer's reference and :attr:`value`, per element."""
        bound = self.reading.bound(self.codes, self.error_share)
        if self.transform is None:
            return bound
        return self.transform.inverse_bound(bound.reshape(len(bound), -1)).reshape(bound.shape)

    def element_bits(self) -> NDArray[np.int64]:
        """Return the word length of every element: that of its block where they vary, else that of the codes."""
        scale = self.reading.scale if isinstance(self.reading, Linear) else None
        if scale is None or scale.word_bits is None:
            return np.full(self.shape, self.format.word_bits, np.int64)
        spread = Scale(step=np.ones_like(scale.step), zero_point=scale.word_bits, block=scale.block)
        return spread.full(self.shape)[1]

    def bits_histogram(self) -> dict[int, int]:
        """Return how many elements have each word length (0: skipped), as a history records it."""
        scale = self.reading.scale if isinstance(self.reading, Linear) else None
        if scale is None or scale.word_bits is None:
            return {self.format.word_bits: self.codes.size}
        words = scale.word_bits.reshape((1,) * (len(self.shape) - scale.word_bits.ndim) + scale.word_bits.shape)
        cut = scale.block or (1,) * len(self.shape)
        # how many elements each entry stands for; the last block of an axis may be shorter
        each, elements = 1, np.ones((1,) * words.ndim)
        for axis, (count, length) in enumerate(zip(self.shape, cut, strict=True)):
            if words.shape[axis] == 1:
                each *= count
            elif count % length == 0:
                each *= length
            else:
                lengths = np.minimum(length, count - length * np.arange(words.shape[axis]))
                elements = elements * lengths.reshape([-1 if a == axis else 1 for a in range(words.ndim)])
        weights = None if elements.size == 1 else np.broadcast_to(elements, words.shape).reshape(-1)
        counts = each * np.bincount(words.reshape(-1), weights)
        return {int(bits): int(counts[bits]) for bits in np.flatnonzero(counts)}

    @property
    def mean_bits(self) -> float:
        """Mean word length per element, without exponents and bit-width maps."""
        return int(self.element_bits().sum()) / self.codes.size

    def linear(self, where: str) -> Linear:
        """Return the reading if codes are evenly spaced; refuse others."""
        if not isinstance(self.reading, Linear):
            raise UserError(
                f"codes are read by {type(self.reading).__name__}",
                where=where,
                expected="evenly spaced codes",
                remedy="use a product made for these codes, or a linear quantizer",
            )
        return self.reading

    def qtensor(self) -> QTensor:
        """Return the codes as a QTensor, where there is neither an offset nor a transform.

        Raises
        ------
        UserError
            If a QTensor cannot say how to read the codes.
        """
        linear = self.linear("Encoded.qtensor")
        if self.transform is not None or np.any(linear.offset):
            raise UserError(
                "the encoding has a transform or an offset",
                where="Encoded.qtensor",
                expected="codes that a step and a zero point read",
                remedy="use Encoded.value, or contraction.contract",
            )
        return QTensor(self.codes, self.format, scale=linear.scale, check=False)


class TensorQuantizer(ABC):
    """Turns a tensor into codes. Subclasses are frozen dataclasses of the method's constants."""

    evidence: ClassVar[Evidence]
    source: ClassVar[str]
    takes_float: ClassVar[bool] = True
    takes_codes: ClassVar[bool] = False
    widths: ClassVar[tuple[int, int]] = (2, 16)
    signed_codes: ClassVar[bool] = True
    bits_are_words: ClassVar[bool] = True

    def check_width(self, word_bits: int) -> None:
        """Refuse a word length that the method does not have (with ``bits_are_words``)."""
        low, high = self.widths
        known = isinstance(word_bits, int) and not isinstance(word_bits, bool)
        if not known or (self.bits_are_words and not max(low, 1) <= word_bits <= high):
            raise UserError(
                f"word_bits is {word_bits!r}",
                where=type(self).__name__,
                expected=f"a whole number from {max(low, 1)} to {high}",
            )

    @property
    @abstractmethod
    def stochastic(self) -> bool:
        """Whether :meth:`encode` draws random words."""

    @property
    def unbiased(self) -> bool:
        """Whether the mean of the decoded value over the random words is :meth:`reference`."""
        return self.stochastic

    def reference(self, x: Array | QTensor, *, bits: Bits) -> NDArray[np.float64]:
        """Return what the codes approximate: x itself, unless the method bounds or squashes it first."""
        return np.asarray(x.value if isinstance(x, QTensor) else x, np.float64)

    def slope(self, x: Array | QTensor, *, bits: Bits) -> tuple[Array, int | None] | None:
        """Return the derivative of :meth:`reference` by x, element by element: codes with a fraction length, or floats.

        None where it is 1, as for all methods that neither clip nor squash.
        """
        return None

    def histogram(self, encoded: Encoded) -> dict[int, int] | None:
        """Return the elements by word length where lengths vary within a tensor, as a history records them."""
        reading = encoded.reading
        varies = isinstance(reading, Linear) and reading.scale.word_bits is not None
        return encoded.bits_histogram() if varies else None

    def saturated(self, x: Array | QTensor, encoded: Encoded) -> int:
        """Return how many elements lie more than half a step beyond the last code that they could have."""
        if encoded.transform is not None or not isinstance(encoded.reading, Linear):
            return 0
        values = encoded.reading.values(encoded.codes)
        word = encoded.format
        edge = (encoded.codes == word.max_code) | (encoded.codes <= word.min_code + word.signed)
        map_of_bits = encoded.reading.scale.word_bits
        if map_of_bits is not None:
            bits = encoded.element_bits()
            edge = (np.abs(encoded.codes) == (np.int64(1) << np.maximum(bits - 1, 0)) - 1) & (bits > 0)
        given = np.asarray(x.value if isinstance(x, QTensor) else x, np.float64)
        beyond = np.abs(given[edge] - values[edge]) > encoded.reading.bound(encoded.codes, 0.5)[edge]
        outwards = (given[edge] > values[edge]) == (values[edge] > np.broadcast_to(_middle(encoded), edge.shape)[edge])
        return int(np.count_nonzero(beyond & outwards))

    @abstractmethod
    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes of a tensor.

        Parameters
        ----------
        x : ndarray of binary32 or binary64, or QTensor
            The tensor; axis 0 is the batch axis (samples) where the method works by rows.
        bits : int
            Word length of the codes (an array where the method varies it by block or element).
        random : RandomBits, optional
            Source of the random words: element ``i`` in C order uses word ``i``.

        Returns
        -------
        Encoded

        Raises
        ------
        UserError
            For a tensor or word length that the method cannot take, or where random words are missing.
        """


def _middle(encoded: Encoded) -> NDArray[np.float64]:
    """Return the value halfway between the least and the largest code, where an element can have it."""
    linear = encoded.linear("saturated")
    word = encoded.format
    middle = (word.min_code + word.max_code + word.signed) / 2
    step, zero = linear.scale.full(encoded.shape)
    return (middle - zero) * step + linear.offset
