"""Which line of an operand survives a product, and the sums of codes that an offset or a zero point multiplies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from fxpsim.kernels import mac
from fxpsim.kernels.coding.sums import sum_first, sum_last
from fxpsim.numerics import Overflow
from fxpsim.units.coded import BOUND_NAMES, CodedOperand

EXACT = mac.MacSpec(word_bits=64, overflow=Overflow.WRAP)


@dataclass(slots=True)
class Line:
    """Step and offset of an operand, shaped to broadcast against the result."""

    step: np.ndarray
    offset: np.ndarray


def kept_axes(operation: str, attributes: dict[str, Any]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return, for both operands, the axis that survives and the axis of the result that it becomes.

    >>> kept_axes("conv2d_weight_grad", {})
    ((3, 2), (3, 3))
    """
    match operation:
        case "matmul":
            a = 1 if attributes.get("transpose_a") else 0
            b = 0 if attributes.get("transpose_b") else 1
            return (a, 0), (b, 1)
        case "conv2d":
            return (0, 0), (3, 3)
        case "conv2d_input_grad":
            return (0, 0), (2, 3)
    return (3, 2), (3, 3)


def surviving(operation: str, a: CodedOperand, b: CodedOperand, attributes: dict[str, Any]) -> tuple[Line, Line] | None:
    """Return the readings of both operands if they vary along nothing but the surviving axis; None otherwise."""
    (of_a, to_a), (of_b, to_b) = kept_axes(operation, attributes)
    groups = attributes.get("groups", 1)
    # the rows that a transform mixed must be those of the result
    mixed = b.transform is not None or (a.transform is not None and (of_a, to_a) != (0, 0))
    rank = 2 if operation == "matmul" else 4
    left = _line(a, of_a, to_a, rank, 1)
    right = _line(b, of_b, to_b, rank, groups if operation == "conv2d_input_grad" else 1)
    split = groups > 1 and operation == "conv2d_weight_grad" and left is not None and left.step.size > 1
    return None if mixed or split or left is None or right is None else (left, right)


def _line(operand: CodedOperand, axis: int, to: int, rank: int, repeats: int) -> Line | None:
    if operand.cut:
        return None
    found = []
    for array in (operand.step, operand.offset):
        if array.size != array.shape[axis]:
            return None
        line = np.tile(array.reshape(-1), repeats) if array.size > 1 else array.reshape(-1)
        shape = [1] * rank
        shape[to] = -1
        found.append(line.reshape(shape))
    return Line(*found)


def summed_axes(operation: str, attributes: dict[str, Any]) -> tuple[int, int]:
    """Return the axis of each operand that a product sums over whatever the position: channels, or samples.

    >>> summed_axes("conv2d_weight_grad", {})
    (0, 0)
    """
    match operation:
        case "matmul":
            return 0 if attributes.get("transpose_a") else 1, 1 if attributes.get("transpose_b") else 0
        case "conv2d":
            return 3, 2
        case "conv2d_input_grad":
            return 3, 3
    return 0, 0


def sums_beside(
    operation: str, a: CodedOperand, b: CodedOperand, attributes: dict[str, Any], *, first: bool, second: bool
) -> np.ndarray:
    """Return the product of the raw codes with ones in the place of the first operand, the second, or both (int64).

    What an offset or a zero point multiplies is a sum of the other operand's codes over the places that the product
    visits. Along an axis that survives one index of the ones stands for all; an axis that is summed over whatever the
    position is summed up first, so that the product that remains is small.
    """
    if first and second:
        return _counts(operation, a.shape, b.shape, tuple(attributes.items()))
    (of_a, _), (of_b, _) = kept_axes(operation, attributes)
    grouped = attributes.get("groups", 1) > 1
    over_a, over_b = (None, None) if grouped else summed_axes(operation, attributes)
    left = _ones(a.shape, {over_a, None if grouped and of_a == 3 else of_a}) if first else _summed(a.codes, over_a)
    right = _ones(b.shape, {over_b, None if grouped else of_b}) if second else _summed(b.codes, over_b)
    return _product(operation, left, right, attributes)


@lru_cache(maxsize=1024)
def _counts(operation: str, a: tuple[int, ...], b: tuple[int, ...], attributes: tuple[tuple[str, Any], ...]) -> Any:
    """Return how many products each result has."""
    named = dict(attributes)
    (of_a, _), (of_b, _) = kept_axes(operation, named)
    if named.get("groups", 1) > 1:
        return _product(operation, _ones(a, {None if of_a == 3 else of_a}), _ones(b, set()), named)
    over_a, over_b = summed_axes(operation, named)
    return a[over_a] * _product(operation, _ones(a, {over_a, of_a}), _ones(b, {over_b, of_b}), named)


def _product(operation: str, left: np.ndarray, right: np.ndarray, attributes: dict[str, Any]) -> np.ndarray:
    changed = dict(attributes)
    grouped = attributes.get("groups", 1) > 1
    if operation == "conv2d_input_grad":
        _, h, w, c = attributes["input_shape"]
        changed["input_shape"] = (left.shape[0], h, w, right.shape[2] if not grouped else c)
    if operation == "conv2d_weight_grad":
        r, s, c, _ = attributes["kernel_shape"]
        changed["kernel_shape"] = (r, s, c if grouped else left.shape[3], right.shape[3])
    return integer_sums(EXACT, operation, left, right, (_largest(left), _largest(right)), changed).codes


def integer_sums(
    spec: mac.MacSpec, operation: str, a: np.ndarray, b: np.ndarray, bounds: tuple[int, int], attributes: dict[str, Any]
) -> mac.MacResult:
    """Run an operation on codes."""
    named = dict(zip(BOUND_NAMES[operation], bounds, strict=True))
    return getattr(mac, operation)(a, b, spec, **attributes, **named)


def _summed(codes: np.ndarray, axis: int | None) -> np.ndarray:
    """Return the sums along an axis, which keeps length 1; in 32 bits where they fit."""
    if axis is None:
        return codes
    narrow = codes.dtype.itemsize <= 2 and codes.shape[axis] < 1 << 15
    dtype = np.int32 if narrow else np.int64
    if axis in (0, codes.ndim - 1) and codes.size:
        return sum_first(codes, dtype) if axis == 0 else sum_last(codes, dtype)
    return codes.sum(axis=axis, keepdims=True, dtype=dtype)


def _largest(codes: np.ndarray) -> int:
    return max(int(codes.max(initial=0)), -int(codes.min(initial=0)), 1)


def _ones(shape: tuple[int, ...], short: set[int | None]) -> np.ndarray:
    return np.ones([1 if axis in short else n for axis, n in enumerate(shape)], np.int8)
