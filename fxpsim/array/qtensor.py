"""QTensor: integer codes and how to read them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fxpsim.array.counts import CastCounts
from fxpsim.array.operators import Operators
from fxpsim.array.scale import Scale
from fxpsim.errors import UserError
from fxpsim.kernels.cast import storage_dtype
from fxpsim.numerics import FixedFormat

if TYPE_CHECKING:
    from typing import Self


class QTensor(Operators):
    """An array of fixed-point numbers.

    The value of an element is ``code * 2**-frac_bits``; with a :class:`~fxpsim.array.Scale` it is
    ``(code - zero_point) * step``. Arithmetic is exact: results grow as :mod:`fxpsim.array.growth` lists, and
    only :meth:`cast` (or an operation that takes a format) rounds. A QTensor is not changed by any operation.

    Parameters
    ----------
    codes : array_like of int
        Integer codes of any shape.
    format : FixedFormat or str
        The word: its codes must lie in range.
    scale : Scale, optional
        Steps per tensor, channel, row or block; ``frac_bits`` of the format is then 0.
    counts : CastCounts, optional
        What the cast or accumulation that made it counted.
    check : bool
        Whether to look at the codes; false only where the range is known.

    Raises
    ------
    UserError
        If the codes are not whole numbers or out of range.

    Examples
    --------
    >>> q = QTensor([[24, -8], [4, 0]], "s8f4")
    >>> q
    QTensor(codes=[[24, -8], [ 4,  0]], format=s8f4, value=[[ 1.5 , -0.5 ], [ 0.25,  0.  ]])
    >>> q[0] + q[1]
    QTensor(codes=[28, -8], format=s9f4, value=[ 1.75, -0.5 ])
    >>> import numpy as np
    >>> np.asarray(q @ q.T)
    array([[2.5   , 0.375 ],
           [0.375 , 0.0625]])
    """

    __slots__ = ("_codes", "_counts", "_format", "_scale")

    def __init__(
        self,
        codes: ArrayLike,
        format: FixedFormat | str,
        *,
        scale: Scale | None = None,
        counts: CastCounts | None = None,
        check: bool = True,
    ) -> None:
        self._format = FixedFormat.parse(format)
        dtype = storage_dtype(self._format.word_bits, self._format.signed)
        self._codes: NDArray[Any] = _checked(codes, self._format).astype(dtype) if check else np.asarray(codes, dtype)
        self._scale = scale
        self._counts = counts or CastCounts(elements=self._codes.size)
        if scale is not None:
            if self._format.frac_bits != 0:
                raise UserError(f"format {self._format} with a scale", where="QTensor", expected="frac_bits=0")
            scale.full(self._codes.shape)

    @property
    def codes(self) -> NDArray[Any]:
        """The codes, in the shortest integer type that holds the word."""
        return self._codes

    @property
    def format(self) -> FixedFormat:
        """The format of the codes."""
        return self._format

    @property
    def scale(self) -> Scale | None:
        """The steps, or None where the format says it all."""
        return self._scale

    @property
    def counts(self) -> CastCounts:
        """What the cast or accumulation that made the tensor counted."""
        return self._counts

    @property
    def value(self) -> NDArray[np.float64]:
        """The values as float64: exact for codes of up to 53 bits, else rounded to nearest even."""
        if self._scale is not None:
            return self._scale.values(self._codes)
        return np.ldexp(self._codes.astype(np.float64), -self._format.frac_bits)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return self._codes.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._codes.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._codes.size

    def with_codes(self, codes: NDArray[Any], scale: Scale | None = None) -> "Self":
        """Return a tensor of other codes in the same format."""
        return type(self)(codes, self._format, scale=scale, check=False)

    def cast(self, format: FixedFormat | str, *args: Any, **kwargs: Any) -> "QTensor":
        """Bring the values to another format; arguments as of :func:`fxpsim.cast`.

        >>> QTensor([27], "s8f4").cast("s6f2", "half_even", "saturate")
        QTensor(codes=[7], format=s6f2, value=[1.75])
        """
        from fxpsim.array.casting import cast

        return cast(self, format, *args, **kwargs)

    def __getitem__(self, index: Any) -> "QTensor":
        scale = self._scale
        if scale is not None and not scale.is_scalar:
            step, zero = scale.full(self.shape)
            scale = Scale(step=step[index], zero_point=zero[index])
        return self.with_codes(np.asarray(self._codes[index]), scale)

    def __len__(self) -> int:
        return len(self._codes)

    def __iter__(self) -> "Iterator[QTensor]":
        return (self[i] for i in range(len(self)))

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return bool(self._codes)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the values of a QTensor are computed: an array without a copy does not exist")
        return self.value if dtype is None else self.value.astype(dtype)

    def __repr__(self) -> str:
        def text(array: NDArray[Any], name: str) -> str:
            body = np.array2string(array, separator=", ", threshold=32, edgeitems=3, prefix=" " * len(name))
            return name + " ".join(line.strip() for line in body.split("\n") if line.strip())

        scale = "" if self._scale is None else f", scale={self._scale!r}"
        return f"QTensor({text(self._codes, 'codes=')}, format={self._format}{scale}, {text(self.value, 'value=')})"

    def bits(self) -> NDArray[np.str_]:
        """Return the codes as strings of bits, two's complement, first bit first.

        >>> QTensor([5, -1], "s4f0").bits()
        array(['0101', '1111'], dtype='<U4')
        """
        return self._strings(self._format.word_bits, "b")

    def hex(self) -> NDArray[np.str_]:
        """Return the codes as strings of hexadecimal digits, two's complement.

        >>> QTensor([5, -1], "s8f0").hex()
        array(['05', 'ff'], dtype='<U2')
        """
        return self._strings(-(-self._format.word_bits // 4), "x")

    def _strings(self, width: int, kind: str) -> NDArray[np.str_]:
        mask = (1 << self._format.word_bits) - 1
        texts = [f"{code & mask:0{width}{kind}}" for code in self._codes.ravel().tolist()]
        return np.array(texts, dtype=f"<U{width}").reshape(self.shape)

    @classmethod
    def from_bits(cls, bits: ArrayLike, format: FixedFormat | str) -> "Self":
        """Read strings of ``word_bits`` bits; underscores are skipped.

        >>> QTensor.from_bits(["0001_1000", "11111000"], "s8f4").value
        array([ 1.5, -0.5])
        """
        return cls._from_strings(bits, FixedFormat.parse(format), base=2)

    @classmethod
    def from_hex(cls, digits: ArrayLike, format: FixedFormat | str) -> "Self":
        """Read strings of hexadecimal digits, with or without ``0x``.

        >>> QTensor.from_hex(["18", "0xf8"], "s8f4").value
        array([ 1.5, -0.5])
        """
        return cls._from_strings(digits, FixedFormat.parse(format), base=16)

    @classmethod
    def _from_strings(cls, texts: ArrayLike, fmt: FixedFormat, base: int) -> "Self":
        array = np.asarray(texts, dtype=str)
        width = fmt.word_bits if base == 2 else -(-fmt.word_bits // 4)
        codes: list[int] = []
        for text in array.ravel().tolist():
            digits = text.lower().removeprefix("0x").removeprefix("0b").replace("_", "")
            try:
                number = int(digits, base)
            except ValueError:
                number = -1
            if number < 0 or len(digits) != width or number >> fmt.word_bits:
                raise UserError(
                    f"cannot read {text!r}",
                    where=f"QTensor of {fmt}",
                    expected=f"{width} digits of base {base} for a word of {fmt.word_bits} bits",
                )
            codes.append(number - (1 << fmt.word_bits) if number > fmt.max_code else number)
        return cls(np.array(codes, dtype=object).reshape(array.shape), fmt)


def _checked(codes: ArrayLike, fmt: FixedFormat) -> NDArray[Any]:
    array = np.asarray(codes)
    if array.dtype.kind not in "iu" and not (array.dtype.kind == "O" and all(isinstance(c, int) for c in array.flat)):
        if array.size == 0:
            return array
        raise UserError(
            f"codes are {array.dtype}",
            where="QTensor",
            expected="whole numbers",
            remedy="cast(values, format) makes a QTensor from values",
        )
    if array.size and not (int(array.min()) >= fmt.min_code and int(array.max()) <= fmt.max_code):
        raise UserError(
            f"codes from {array.min()} to {array.max()}",
            where=f"QTensor of {fmt}",
            expected=f"{fmt.min_code} to {fmt.max_code}",
            remedy="cast(values, format) brings values into range",
        )
    return array
