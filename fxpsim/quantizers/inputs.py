"""What every tensor quantizer checks before it starts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor
from fxpsim.errors import UserError
from fxpsim.kernels.coding.ranges import column_ranges, run_ranges
from fxpsim.numerics import RandomBits, Rounding
from fxpsim.quantizers.base import Bits, TensorQuantizer

EXACT_BITS = 53
"""Codes of at most this many bits are exact in binary64, in which the quantizers compute."""

LEAST, LARGEST = 2.0**-500, 2.0**500


def values_of(x: Any, quantizer: TensorQuantizer, *, measured: bool = False) -> NDArray[np.floating[Any]]:
    """Return the numbers of a tensor, exactly, and refuse what the quantizer cannot take.

    With ``measured`` the caller takes the ranges of the tensor (:func:`ranges_of`), which finds what is not finite.

    Raises
    ------
    UserError
        If the tensor is empty, not finite, or of a kind that the method is not defined on.
    """
    where = type(quantizer).__name__
    if isinstance(x, QTensor):
        if not quantizer.takes_codes:
            raise UserError(
                "integer codes are given",
                where=where,
                expected="a binary32 tensor: the method divides by data-dependent ranges",
                remedy="use a quantizer with power-of-two steps, or give .value and accept float arithmetic",
            )
        if x.scale is not None or x.format.word_bits > EXACT_BITS:
            raise UserError(
                f"codes of {x.format}" + (" with a scale" if x.scale is not None else ""),
                where=where,
                expected=f"one format for the tensor, of at most {EXACT_BITS} bits",
                remedy="cast the tensor first",
            )
        array: NDArray[Any] = x.value
    else:
        array = np.asarray(x)
        if not quantizer.takes_float:
            raise UserError(
                f"a tensor of {array.dtype} is given",
                where=where,
                expected="a QTensor: the method is defined on integers",
                remedy="fxpsim.cast(x, format) makes one",
            )
        if array.dtype not in (np.float32, np.float64):
            raise UserError(
                f"a tensor of {array.dtype} is given",
                where=where,
                expected="binary32 or binary64 numbers" + (", or a QTensor" if quantizer.takes_codes else ""),
                remedy="convert with .astype(numpy.float32)",
            )
    if array.ndim == 0 or array.size == 0:
        raise UserError(f"a tensor of shape {array.shape}", where=where, expected="at least one axis and one element")
    if array.dtype == np.float64:
        if not np.isfinite(array).all():
            raise _not_finite(where)
        _refuse_extremes(array, where)
    array = np.ascontiguousarray(array)
    if array.dtype == np.float32 and not measured:
        ranges_of(array, quantizer)
    return array


def ranges_of(
    values: NDArray[np.floating[Any]], quantizer: TensorQuantizer, *, runs: int = 1, columns: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and largest element of each of ``runs`` equal runs, or of each index of the last axis.

    Raises
    ------
    UserError
        If an element is not finite.
    """
    if values.dtype == np.float32:
        found = column_ranges(values) if columns else run_ranges(values, runs)
        if found is None:
            raise _not_finite(type(quantizer).__name__)
        return found
    lines = values.reshape(-1, values.shape[-1]).T if columns else values.reshape(runs, -1)
    return lines.min(axis=1).astype(np.float64), lines.max(axis=1).astype(np.float64)


def _not_finite(where: str) -> UserError:
    return UserError("the tensor has infinities or NaN", where=where, expected="finite numbers")


def _refuse_extremes(array: NDArray[np.float64], where: str) -> None:
    """Refuse magnitudes whose ranges or reciprocals might leave binary64; those of binary32 never do."""
    magnitude = np.abs(array)
    if ((magnitude > LARGEST) | ((magnitude < LEAST) & (magnitude > 0))).any():
        raise UserError(
            "the tensor has numbers beyond 2**500 or below 2**-500",
            where=where,
            expected="magnitudes that leave room for ranges and steps in binary64",
            remedy="scale the tensor",
        )


def word_of(bits: Bits, quantizer: TensorQuantizer) -> int:
    """Return the word length as a Python integer, checked against the method's range."""
    low, high = quantizer.widths
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not low <= bits <= high:
        raise UserError(
            f"bits is {bits!r}", where=type(quantizer).__name__, expected=f"a whole number from {low} to {high}"
        )
    return int(bits)


def rounding_of(value: Rounding | str, where: str) -> Rounding:
    """Return a rounding that the quantizers' kernels have."""
    known = (Rounding.HALF_EVEN, Rounding.HALF_AWAY, Rounding.HALF_UP, Rounding.STOCHASTIC)
    rounding = Rounding(value)
    if rounding not in known:
        names = ", ".join(mode.value for mode in known)
        raise UserError(f"rounding is {rounding.value!r}", where=where, expected=f"one of: {names}")
    return rounding


def source_of_words(random: RandomBits | None, rounding: Rounding, where: str) -> RandomBits | None:
    """Return the random source if the rounding needs one; refuse a missing one."""
    if rounding is not Rounding.STOCHASTIC:
        return None
    if random is None:
        raise UserError(
            "no random bits are given for stochastic rounding",
            where=where,
            expected="random=RandomBits(seed=..., stream=...)",
            remedy="pass a source, or choose rounding='half_even'",
        )
    return random


def error_share(rounding: Rounding) -> float:
    """Return the largest error of a rounding in steps."""
    return 1.0 if rounding is Rounding.STOCHASTIC else 0.5
