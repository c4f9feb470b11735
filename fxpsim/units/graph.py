"""Lazy element-wise values: a stretch of vector work is recorded as nodes and compiled when somebody needs it.

Nothing here knows about formats. A :class:`Node` is a scalar operation over other nodes, an array in memory (a leaf),
a scalar parameter or the element's index. :func:`evaluate` turns the nodes that are asked for into one
:class:`~fxpsim.kernels.program.Program`, runs it, and makes leaves of the nodes that it stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from fxpsim.kernels import program as programs

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
            shape = np.broadcast_shapes(shape, operand.shape)
    return Node(primitive, operands, dtype=dtype, shape=shape)


def evaluate(stores: Sequence[tuple[Node, str]], reductions: Sequence[tuple[str, Node]] = ()) -> list[Any]:
    """Compute nodes and reductions over them in one program.

    Parameters
    ----------
    stores : sequence of (Node, dtype name)
        Nodes to bring into memory, with the type of their array. They become leaves.
    reductions : sequence of (kind, Node)
        See :class:`~fxpsim.kernels.program.Program`. ``max_abs`` needs a node that is in memory or stored here.

    Returns
    -------
    list
        The reductions, in order.
    """
    stores = [(node, dtype) for node, dtype in dict(stores).items() if node.array is None]
    targets = [node for node, _ in stores] + [node for _, node in reductions]
    shape = max((node.shape for node in targets), key=lambda s: (math.prod(s), len(s)))
    assert all(math.prod(node.shape) == math.prod(shape) for node in targets), "one stretch, one shape"
    build = _Builder(shape, stores, reductions)
    outputs, results = programs.run(build.program, build.inputs, build.scalars, build.rows, build.columns)
    for (node, dtype), array in zip(build.stores, outputs, strict=True):
        node.array, node.dtype = array.reshape(node.shape), dtype
        node.operands, node.primitive = (), "leaf"
    return results


class _Builder:
    """Collects the nodes below the targets and numbers them."""

    def __init__(
        self, shape: tuple[int, ...], stores: list[tuple[Node, str]], reductions: Sequence[tuple[str, Node]]
    ) -> None:
        self.shape, self.stores = shape, list(stores)
        self.leaves: dict[int, Node] = {}
        self.parameters: dict[int, Node] = {}
        self.steps: dict[int, Node] = {}
        # the largest absolute value of a float is taken from its array: one in memory is copied by the program
        stored = {id(node) for node, _ in stores}
        self.copies = [n for kind, n in reductions if kind == "max_abs" and id(n) not in stored]
        for node in [n for n, _ in stores] + [n for _, n in reductions]:
            self._visit(node)
        kinds = {i: _kind(node.shape, shape) for i, node in self.leaves.items()}
        widths = [_width(self.leaves[i].shape, shape, kind) for i, kind in kinds.items() if kind != "full"]
        elements = math.prod(shape)
        by_column = any(kind == "column" for kind in kinds.values()) or any(k == "column_sum" for k, _ in reductions)
        self.columns = max(widths, default=1)
        if by_column and shape:
            # a single element that is repeated, or a sum over rows alone, still walks whole rows
            self.columns = max(self.columns, shape[-1])
        flat = not widths and not by_column
        self.rows = elements // self.columns if self.columns else 0
        order = [*self.leaves, *self.parameters, *self.steps]
        number = {key: i for i, key in enumerate(order)}
        self.inputs = [self._input(self.leaves[i], kinds[i]) for i in self.leaves]
        self.scalars = [node.scalar for node in self.parameters.values() if node.scalar is not None]
        extra = [(node, node.dtype) for node in self.copies]
        self.program = programs.Program(
            inputs=tuple((kinds[i], node.dtype) for i, node in self.leaves.items()),
            parameters=tuple(node.dtype for node in self.parameters.values()),
            instructions=tuple(
                (node.primitive, tuple(number[id(o)] for o in node.operands), node.dtype)
                for node in self.steps.values()
            ),
            stores=tuple((number[id(node)], dtype) for node, dtype in [*stores, *extra]),
            reductions=tuple((kind, number[id(node)]) for kind, node in reductions),
            columns=not flat,
        )
        self.stores += extra

    def _visit(self, node: Node) -> None:
        if node.array is not None:
            self.leaves.setdefault(id(node), node)
        elif node.scalar is not None:
            self.parameters.setdefault(id(node), node)
        elif id(node) not in self.steps:
            for operand in node.operands:
                self._visit(operand)
            self.steps[id(node)] = node

    def _input(self, node: Node, kind: str) -> np.ndarray:
        array = node.array
        assert array is not None
        if kind == "column" and array.size < self.columns:
            row = self.shape[len(self.shape) - _axes(self.columns, self.shape) :]
            # axes of size 1 in front repeat nothing
            array = np.broadcast_to(array.reshape(array.shape[max(0, array.ndim - len(row)) :]), row)
        return np.ascontiguousarray(array)


def _axes(columns: int, shape: tuple[int, ...]) -> int:
    """How many trailing axes of ``shape`` make up ``columns``."""
    count, size = 0, 1
    while size < columns:
        count += 1
        size *= shape[-count]
    return max(count, 1)


@cache
def _kind(shape: tuple[int, ...], whole: tuple[int, ...]) -> str:
    """How an operand of ``shape`` is repeated over ``whole``."""
    if math.prod(shape) == math.prod(whole):
        return "full"
    core = shape
    while core and core[0] == 1:
        core = core[1:]
    if core == whole[len(whole) - len(core) :]:
        return "column"
    trimmed = shape
    while trimmed and trimmed[-1] == 1:
        trimmed = trimmed[:-1]
    fits = len(shape) == len(whole) and trimmed == whole[: len(trimmed)]
    assert fits, f"cannot repeat {shape} over {whole}"
    return "row"


@cache
def _width(shape: tuple[int, ...], whole: tuple[int, ...], kind: str) -> int:
    if kind == "column":
        return math.prod(shape)
    trimmed = len(shape)
    while trimmed and shape[trimmed - 1] == 1:
        trimmed -= 1
    return math.prod(whole[trimmed:])
