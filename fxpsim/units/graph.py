"""Lazy element-wise values: a stretch of vector work is recorded as nodes and compiled when somebody needs it.

Nothing here knows about formats. A :class:`Node` is a scalar operation over other nodes, an array in memory (a leaf),
a scalar parameter or the element's index. :func:`evaluate` turns the nodes that are asked for into one
:class:`~fxpsim.kernels.program.Program`, runs it, and makes leaves of the nodes that it stored. A stretch that was seen
before, in an earlier step, finds its program by its signature (:mod:`fxpsim.units.plans`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fxpsim.kernels import program as programs
from fxpsim.units.plans import joined, plan

_DTYPE_NAMES = {np.dtype(kind): name for name, kind in programs.DTYPES.items()}


class Node:
    """A value in the vector unit's registers, or in memory once it has an array."""

    __slots__ = ("array", "dtype", "operands", "primitive", "scalar", "shape")

    def __init__(
        self,
        primitive: str,
        operands: tuple[Node, ...] = (),
        *,
        dtype: str,
        shape: tuple[int, ...] = (),
        array: np.ndarray | None = None,
        scalar: int | float | None = None,
    ) -> None:
        self.primitive, self.operands, self.dtype = primitive, operands, dtype
        self.shape, self.array, self.scalar = shape, array, scalar

    def reshaped(self, shape: tuple[int, ...]) -> Node:
        """Return the same elements, in the same order, under another shape (the node must be in memory)."""
        assert self.array is not None
        return leaf(self.array.reshape(shape))


class Awaited(Node):
    """A leaf whose array others may still be writing; it gets the array when somebody reads it."""

    __slots__ = ("coming", "finish")

    def __init__(self, array: np.ndarray, finish: Callable[[], None]) -> None:
        super().__init__("leaf", dtype=_DTYPE_NAMES[array.dtype], shape=array.shape)
        self.coming, self.finish = array, finish

    def settle(self) -> np.ndarray:
        """Return the array as soon as it is written."""
        self.finish()
        self.array = self.coming
        del self.finish  # and with it what the work needed
        return self.array


def leaf(array: np.ndarray) -> Node:
    """Return a node for an array in memory."""
    array = np.ascontiguousarray(array)
    return Node("leaf", dtype=_DTYPE_NAMES[array.dtype], shape=array.shape, array=array)


def parameter(value: int | float, dtype: str) -> Node:
    """Return a node for a scalar that the kernel takes as an argument."""
    return Node("parameter", dtype=dtype, scalar=value)


def index() -> Node:
    """Return a node for the element's flat index."""
    return Node("index", dtype="i64")


def apply(primitive: str, *operands: Node, dtype: str) -> Node:
    """Return the node of a scalar operation over broadcast operands."""
    shape = operands[0].shape
    for operand in operands[1:]:
        if operand.shape and operand.shape != shape:
            shape = joined(shape, operand.shape)
    return Node(primitive, operands, dtype=dtype, shape=shape)


def evaluate(stores: Sequence[tuple[Node, str]], reductions: Sequence[tuple[str, Node]] = ()) -> list[Any]:
    """Compute nodes and reductions over them in one program.

    Parameters
    ----------
    stores : sequence of (Node, dtype name)
        Nodes to bring into memory, with the type of their array. They become leaves.
    reductions : sequence of (kind, Node)
        ``sum``, ``range`` or ``column_sum``, see :class:`~fxpsim.kernels.program.Program`.

    Returns
    -------
    list
        The reductions, in order.
    """
    wanted = [(node, dtype) for node, dtype in dict(stores).items() if node.array is None]
    signature, arrays, scalars = _signed(wanted, reductions)
    found = plan(signature)
    inputs = found.inputs(arrays)
    outputs, results = programs.run(found.program, inputs, scalars, found.rows, found.columns)
    for (node, dtype), array in zip(wanted, outputs, strict=True):
        node.array, node.dtype = array.reshape(node.shape), dtype
        node.operands, node.primitive = (), "leaf"
    return results


def _signed(
    stores: Sequence[tuple[Node, str]], reductions: Sequence[tuple[str, Node]]
) -> tuple[tuple[Any, ...], list[np.ndarray], list[int | float]]:
    """Number the nodes below the targets, operands first, and describe each by an entry of the signature.

    Returns the signature, and the arrays and scalars in the order of their entries.
    """
    numbers: dict[Node, int] = {}
    entries: list[tuple[Any, ...]] = []
    arrays: list[np.ndarray] = []
    scalars: list[int | float] = []
    found = numbers, entries.append, arrays, scalars
    stored = tuple([(_entered(node, *found), dtype) for node, dtype in stores])
    reduced = tuple([(kind, _entered(node, *found)) for kind, node in reductions])
    return (stored, reduced, tuple(entries)), arrays, scalars


def _entered(
    node: Node,
    numbers: dict[Node, int],
    append: Callable[[tuple[Any, ...]], None],
    arrays: list[np.ndarray],
    scalars: list[int | float],
) -> int:
    """Return the number of a node; enter it, and what it is made of, if it has none."""
    number = numbers.get(node)
    if number is not None:
        return number
    operands = node.operands
    if operands:
        for operand in operands:
            if operand not in numbers:
                _entered(operand, numbers, append, arrays, scalars)
        append((node.primitive, node.dtype, *[numbers[operand] for operand in operands]))
    elif node.array is not None:
        arrays.append(node.array)
        append(("leaf", node.dtype, node.shape))
    elif node.scalar is not None:
        scalars.append(node.scalar)
        append(("parameter", node.dtype))
    elif isinstance(node, Awaited):
        arrays.append(node.settle())
        append(("leaf", node.dtype, node.shape))
    else:
        append((node.primitive, node.dtype))
    numbers[node] = number = len(numbers)
    return number
