"""Which line of an operand survives a product, and the ones that stand beside an offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fxpsim.units.coded import CodedOperand


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
    found = []
    for array in (operand.step, operand.offset):
        if array.size != array.shape[axis]:
            return None
        line = np.tile(array.reshape(-1), repeats) if array.size > 1 else array.reshape(-1)
        shape = [1] * rank
        shape[to] = -1
        found.append(line.reshape(shape))
    return Line(*found)


def ones_beside(
    operation: str, a: CodedOperand, b: CodedOperand, attributes: dict[str, Any], *, first: bool, second: bool
) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, Any]]:
    """Return the operands with ones in the place of one or both, as short as they can be, and the attributes for them.

    What an offset multiplies is a sum of the other operand's codes over the places that the product visits: the
    product with a tensor of ones. Along an axis that survives one index stands for all.
    """
    (of_a, _), (of_b, _) = kept_axes(operation, attributes)
    grouped = attributes.get("groups", 1) > 1
    left, right = a.codes, b.codes
    changed = dict(attributes)
    if first:
        left = _ones(a.shape, None if grouped and of_a == 3 else of_a)
    if second:
        right = _ones(b.shape, None if grouped else of_b)
    if operation == "conv2d_input_grad":
        _, h, w, c = attributes["input_shape"]
        changed["input_shape"] = (left.shape[0], h, w, right.shape[2] if not grouped else c)
    if operation == "conv2d_weight_grad":
        r, s, c, _ = attributes["kernel_shape"]
        changed["kernel_shape"] = (r, s, c if grouped else left.shape[3], right.shape[3])
    return (left, right), changed


def _ones(shape: tuple[int, ...], short: int | None) -> np.ndarray:
    return np.ones([1 if axis == short else n for axis, n in enumerate(shape)], np.int8)
