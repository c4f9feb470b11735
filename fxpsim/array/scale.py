"""Steps other than one power of two for the whole tensor: per tensor, channel, row or block."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fxpsim.errors import UserError


def _no_zero_points() -> NDArray[np.int64]:
    return np.zeros((), np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """How codes are read where one format does not do: ``value = (code - zero_point) * step``.

    ``step``, ``zero_point`` and ``word_bits`` are scalars or arrays that broadcast against the codes once each entry
    is repeated ``block`` times along each axis (the last block of an axis may be shorter).

    Parameters
    ----------
    step : ndarray of float64
        Positive steps.
    zero_point : ndarray of int64
        Codes that stand for zero.
    word_bits : ndarray of int64, optional
        Word length of each channel, row or block, where it varies.
    block : tuple of int
        Length of a block along each axis; empty if the arrays broadcast as they are.

    Examples
    --------
    >>> Scale.per_channel([0.5, 0.25], axis=1, ndim=2).full((3, 2))[0]
    array([[0.5 , 0.25],
           [0.5 , 0.25],
           [0.5 , 0.25]])
    """

    step: NDArray[np.float64]
    zero_point: NDArray[np.int64] = field(default_factory=_no_zero_points)
    word_bits: NDArray[np.int64] | None = None
    block: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        step = np.asarray(self.step, np.float64)
        if not (np.isfinite(step) & (step > 0)).all():
            raise UserError("a step is not a positive number", where="Scale", expected="finite steps above zero")
        object.__setattr__(self, "step", step)
        object.__setattr__(self, "zero_point", np.asarray(self.zero_point, np.int64))

    @classmethod
    def per_tensor(cls, step: float, zero_point: int = 0) -> "Scale":
        """One step for all elements."""
        return cls(step=np.asarray(step, np.float64), zero_point=np.asarray(zero_point, np.int64))

    @classmethod
    def per_channel(cls, step: ArrayLike, zero_point: ArrayLike = 0, *, axis: int, ndim: int) -> "Scale":
        """One step for each index of ``axis`` of a tensor with ``ndim`` axes; ``axis=0`` is per row (per sample)."""
        shape = [1] * ndim
        shape[axis] = -1
        zero = np.asarray(zero_point, np.int64)
        return cls(
            step=np.asarray(step, np.float64).reshape(shape), zero_point=zero.reshape(shape) if zero.ndim else zero
        )

    @classmethod
    def per_block(cls, step: ArrayLike, block: tuple[int, ...], zero_point: ArrayLike = 0) -> "Scale":
        """One step for each block of ``block`` elements; ``step`` has one entry per block along each axis."""
        return cls(step=np.asarray(step, np.float64), zero_point=np.asarray(zero_point, np.int64), block=block)

    @property
    def is_scalar(self) -> bool:
        """Whether all elements share one step and one zero point."""
        return self.step.ndim == 0 and self.zero_point.ndim == 0

    @property
    def is_power_of_two(self) -> bool:
        """Whether every step is a power of two, so that dividing by it is a shift."""
        return bool((np.frexp(self.step)[0] == 0.5).all())

    def _expand(self, array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        if self.block and array.ndim:
            for axis, length in enumerate(self.block):
                if length > 1:
                    array = np.repeat(array, length, axis=axis)
            array = array[tuple(slice(0, n) for n in shape)]
        try:
            return np.broadcast_to(array, shape)
        except ValueError as error:
            raise UserError(
                f"steps of shape {array.shape} do not fit codes of shape {shape}",
                where="Scale",
                expected="one step per tensor, channel, row or block",
                remedy="use Scale.per_channel(steps, axis=..., ndim=...) or Scale.per_block(steps, block)",
            ) from error

    def full(self, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return step and zero point of every element of a tensor of ``shape`` (views where possible)."""
        return self._expand(self.step, shape), self._expand(self.zero_point, shape)

    def values(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """Return the values of codes."""
        step, zero = self.full(codes.shape)
        return (codes - zero) * step

    def __repr__(self) -> str:
        kind = "per tensor" if self.is_scalar else f"block {self.block}" if self.block else f"shape {self.step.shape}"
        return f"Scale({kind}, step={np.array2string(self.step, threshold=8, precision=6)})"
