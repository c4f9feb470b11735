"""An operand of the MAC array whose codes one fixed-point format does not read: steps by line or block, offsets.

    value = T^-1 ((codes - zero) * step + offset)

Steps and offsets are arrays with as many axes as the codes; an axis along which they do not vary has length 1. The zero
point of a tensor may stay in its codes: what it adds to a product is a sum of codes of the other operand, which is
taken away behind the multipliers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from fxpsim.units.values import Operand

BOUND_NAMES = {
    "matmul": ("a_bound", "b_bound"),
    "conv2d": ("x_bound", "w_bound"),
    "conv2d_input_grad": ("e_bound", "w_bound"),
    "conv2d_weight_grad": ("x_bound", "e_bound"),
}
"""How the operations of the MAC array call the largest codes of their two operands."""


class Transform(Protocol):
    """A linear map of the rows (axis 0) that is undone behind the MAC array."""

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """Return the rows as they were, for a matrix of any columns."""
        ...


class Products(Protocol):
    """Codes that multiply by a rule of their own (logarithmic codes add)."""

    def matmul(self, a: np.ndarray, b: np.ndarray, other: Products) -> tuple[np.ndarray, int]:
        """Return integer sums of the products of (M, K) and (K, N) codes, and the binary exponent of their unit."""
        ...

    def values(self, codes: np.ndarray) -> np.ndarray:
        """Return what codes stand for."""
        ...


@dataclass(slots=True)
class CodedOperand:
    """Codes and how to read them.

    Parameters
    ----------
    codes : ndarray of integers
        Codes.
    word_bits : int
        Word length in memory.
    step, offset : ndarray of float64
        Of every element, broadcasting against the codes.
    transform : Transform, optional
        The map of the rows that was applied before encoding.
    products : Products, optional
        Codes that neither step nor offset reads.
    source : (str, Any), optional
        Stream and vector value that it was made of, if another pass reads that anew.
    zero : int
        What the codes, bytes then, hold for zero.
    cut : tuple of int
        Length of a block along each axis; ``step`` then has an entry for every block. Empty where steps broadcast.

    Examples
    --------
    >>> x = CodedOperand(np.array([[1, -2]], np.int16), 4, np.array([[0.5]]), np.array([[1.0]]))
    >>> x.values().tolist(), x.shape
    ([[1.5, 0.0]], (1, 2))
    """

    codes: np.ndarray
    word_bits: int
    step: np.ndarray
    offset: np.ndarray
    transform: Transform | None = None
    products: Products | None = None
    source: tuple[str, Any] | None = None
    zero: int = 0
    cut: tuple[int, ...] = ()
    _parts: Any = field(default=None, init=False, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.codes.shape

    @property
    def bound(self) -> int:
        """Largest magnitude of a code less the zero point: of unsigned bytes that of their word, else from the data."""
        if self.codes.dtype == np.uint8:
            return max((1 << min(self.word_bits, 8)) - 1 - self.zero, self.zero, 1)
        return max(int(self.codes.max(initial=0)), -int(self.codes.min(initial=0)), 1)

    def plain(self) -> CodedOperand:
        """Return the operand with its zero point taken off the codes."""
        if not self.zero:
            return self
        return replace(self, codes=self.codes.astype(np.int16) - np.int16(self.zero), zero=0)

    @property
    def shifts(self) -> bool:
        """Whether reading the codes takes shifts alone: power-of-two steps, no offset."""
        return self.products is None and not self.offset.any() and self._step_parts[0]

    @property
    def exponents(self) -> np.ndarray:
        """Binary exponents of power-of-two steps."""
        return self._step_parts[1]

    @property
    def _step_parts(self) -> tuple[bool, np.ndarray]:
        """Whether all steps are powers of two, and their exponents; found once, for all products."""
        if self._parts is None:
            mantissas, exponents = np.frexp(self.step)
            self._parts = bool((mantissas == 0.5).all()), exponents - 1
        return self._parts

    @property
    def spread(self) -> CodedOperand:
        """The operand with a step for every element in place of one per block."""
        return replace(self, step=repeated(self.step, self.cut, self.shape), cut=()) if self.cut else self

    def values(self) -> np.ndarray:
        """Return what the operand stands for, in binary64."""
        if self.products is not None:
            return self.products.values(self.codes)
        values = self.plain().codes * self.spread.step + self.offset
        if self.transform is None:
            return values
        return self.transform.inverse(values.reshape(len(values), -1)).reshape(values.shape)

    def stored(self, arithmetic: str) -> tuple[np.ndarray, int | None]:
        """Return array and fraction length with which a vector unit loads the operand."""
        if arithmetic == "fixed" and self.shifts and self.step.size == 1 and not self.cut and self.transform is None:
            return self.plain().codes, -int(self.exponents.reshape(()))
        return self.values().astype(np.float32), None

    def part(self, index: int) -> CodedOperand:
        """Return ``self[index]`` along the first axis."""
        assert self.transform is None, "rows that were mixed cannot be told apart"
        step, offset = (a[index if len(a) > 1 else 0] for a in (self.spread.step, self.offset))
        return replace(self, codes=self.codes[index], step=step, offset=offset, source=None, cut=())


def repeated(array: np.ndarray, cut: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of blocks with an entry for every element of a tensor of ``shape``.

    >>> repeated(np.array([[1, 2]]), (1, 2), (1, 3)).tolist()
    [[1, 1, 2]]
    """
    for axis, length in enumerate(cut):
        if length > 1:
            array = np.repeat(array, length, axis=axis)
    return np.broadcast_to(array[tuple(slice(0, n) for n in shape)], shape)


def coded(operand: Operand | CodedOperand) -> CodedOperand:
    """Return a fixed-point operand as a coded one."""
    if isinstance(operand, CodedOperand):
        return operand
    assert operand.format is not None
    ones = (1,) * operand.codes.ndim
    step = np.full(ones, np.ldexp(1.0, -operand.format.frac_bits))
    return CodedOperand(operand.codes, operand.format.word_bits, step, np.zeros(ones))
