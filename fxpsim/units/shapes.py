"""The interpreter of shapes alone: a network is counted in milliseconds, whatever its size; nothing is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxpsim.units.values import CastCounts


@dataclass(slots=True)
class Shape:
    """A tensor without elements."""

    shape: tuple[int, ...]
    nonnegative: bool = False


class ShapeStatistics:
    """What a normalization keeps, and its running statistics, without elements."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.columns = Shape(shape[-1:])

    def mean(self) -> Shape:
        """Return the shape of the means."""
        return self.columns

    def variance(self) -> Shape:
        """Return the shape of the variances."""
        return self.columns


class ShapeUnit:
    """The vector unit on shapes: the methods of :class:`~fxpsim.units.vector.VectorUnit`.

    Methods that are not written out return the shape of their first operand.

    >>> unit = ShapeUnit()
    >>> unit.add(Shape((2, 3)), Shape((3,))).shape, unit.relu(Shape((4,))).shape
    ((2, 3), (4,))
    """

    arithmetic = "shapes"

    def __getattr__(self, name: str) -> Any:
        if name in _SAME_SHAPE:
            return lambda a, *rest, **attributes: Shape(a.shape)
        raise AttributeError(name)

    def load(self, array: np.ndarray, frac_bits: int | None) -> Shape:
        """Return the shape of an array."""
        return Shape(array.shape)

    def from_accumulator(self, sums: Shape) -> Shape:
        """Return the shape of the sums."""
        return sums

    def operand(self, a: Shape) -> tuple[Shape, CastCounts]:
        """Return the shape as it is."""
        return a, CastCounts(math.prod(a.shape), 0, 0, 0)

    def add(self, a: Shape, b: Shape, *limits: Any) -> Shape:
        """Broadcast."""
        return Shape(np.broadcast_shapes(a.shape, b.shape))

    subtract = multiply = gate = inside = add

    def reshape(self, a: Shape, shape: tuple[int, ...]) -> Shape:
        """Return the other shape, which must hold as many elements."""
        assert math.prod(a.shape) == math.prod(shape), f"{a.shape} does not fit {shape}"
        return Shape(shape)

    sum_leading = staticmethod(lambda a, shape: Shape(shape))
    put = staticmethod(lambda a, index, shape: Shape(shape))
    transpose = staticmethod(lambda a, axes: Shape(tuple(a.shape[i] for i in axes)))
    gather = staticmethod(lambda table, ids: Shape((*ids.shape, table.shape[1])))
    scatter_add = staticmethod(lambda g, ids, rows: Shape((rows, g.shape[-1])))
    window_max_gradient = staticmethod(lambda g, winners, window, shape: Shape(shape))
    window_sum_gradient = staticmethod(lambda g, window, shape: Shape(shape))

    def take(self, a: Shape, index: tuple[slice, ...]) -> Shape:
        """Return the shape of the part."""
        parts = (len(range(*part.indices(size))) for part, size in zip(index, a.shape, strict=True))
        return Shape(tuple(parts))

    def concatenate(self, parts: list[Shape], axis: int) -> Shape:
        """Add the lengths along the axis."""
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        return Shape(tuple(shape))

    def whole(self, a: Shape) -> np.ndarray:
        """Return zeros: any address will do."""
        return np.zeros(a.shape, np.int64)

    def window_max(self, a: Shape, window: Any) -> tuple[Shape, None]:
        """Return the shape of the result."""
        return Shape(window.output_shape(a.shape)), None

    def window_sum(self, a: Shape, window: Any) -> Shape:
        """Return the shape of the result."""
        return Shape(window.output_shape(a.shape))

    def softmax_cross_entropy(self, logits: Shape, labels: np.ndarray) -> tuple[int, Shape, int]:
        """Return no loss, and the shape of the gradient."""
        return 0, Shape(logits.shape), 0

    def niti_cross_entropy(self, logits: Shape, labels: np.ndarray, words: np.ndarray) -> Shape:
        """Return the shape of the gradient."""
        return Shape(logits.shape)

    def normalize_batch(self, x: Shape, *operands: Any) -> tuple[Shape, ShapeStatistics]:
        """Return the shape of the input."""
        return Shape(x.shape), ShapeStatistics(x.shape)

    normalize_frozen = normalize_rows = normalize_batch

    def normalize_gradient(self, g: Shape, gamma: Shape, kept: ShapeStatistics) -> tuple[Shape, Shape, Shape]:
        """Return the shapes of the three gradients."""
        return Shape(g.shape), kept.columns, kept.columns

    def label_excess(self, logits: Shape, labels: np.ndarray) -> int:
        """Return 0."""
        return 0

    def sum_of_squares(self, a: Shape) -> int:
        """Return 0."""
        return 0


_SAME_SHAPE = {
    "scale",
    "settle",
    "relu",
    "curve",
    "clip",
    "dropout",
    "softmax",
    "softmax_gradient",
    "normalize_rows_gradient",
}


class ShapeMac:
    """The MAC array on shapes."""

    overflowed = 0

    def run(self, operation: str, a: Shape, b: Shape, **attributes: Any) -> Shape:
        """Return the shape of the result of ``matmul``, ``conv2d`` or a gradient of it."""
        match operation:
            case "matmul":
                return Shape(_matmul(a.shape, b.shape, **attributes))
            case "conv2d":
                return Shape(_convolution(a.shape, b.shape, **attributes))
            case "conv2d_input_grad":
                return Shape(attributes["input_shape"])
            case _:
                return Shape(attributes["kernel_shape"])

    def run_batched(self, a: Shape, b: Shape, **attributes: Any) -> Shape:
        """Return the shape of a product for each of a batch."""
        return Shape((a.shape[0], *_matmul(a.shape[1:], b.shape[1:], **attributes)))


def _matmul(
    a: tuple[int, ...], b: tuple[int, ...], *, transpose_a: bool = False, transpose_b: bool = False
) -> tuple[int, int]:
    (m, k), (rows, n) = (a[::-1] if transpose_a else a), (b[::-1] if transpose_b else b)
    assert k == rows, f"{a} times {b}: {k} and {rows} do not fit"
    return m, n


def _convolution(
    x: tuple[int, ...], w: tuple[int, ...], *, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> tuple[int, ...]:
    assert x[3] == w[2] * groups, f"{x[3]} channels, but the kernel takes {w[2]} of each of {groups} groups"
    sizes = []
    for axis in range(2):
        before, after = _ends(padding, axis)
        step, spread = _of(stride, axis), _of(dilation, axis)
        sizes.append((x[1 + axis] + before + after - spread * (w[axis] - 1) - 1) // step + 1)
    return x[0], *sizes, w[3]


def _of(value: Any, axis: int) -> int:
    return value if isinstance(value, int) else value[axis]


def _ends(padding: Any, axis: int) -> tuple[int, int]:
    part = _of(padding, axis)
    return (part, part) if isinstance(part, int) else part
