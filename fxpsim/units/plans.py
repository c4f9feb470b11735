"""From the signature of a recorded stretch to its vector program: worked out once, found again in every later step.

A signature names what is stored, what is reduced, and every node below, operands first:

- ``("leaf", dtype, shape)``: an array in memory;
- ``("parameter", dtype)``: a scalar;
- ``(primitive, dtype, *operands)``: a scalar operation on earlier entries, by their numbers.

Neither arrays nor scalars are part of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from fxpsim.kernels.program import Program

Shape = tuple[int, ...]
Signature = tuple[tuple[tuple[int, str], ...], tuple[tuple[str, int], ...], tuple[tuple[Any, ...], ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How to run a stretch.

    Parameters
    ----------
    program : Program
        Its structure.
    rows, columns : int
        The shape over which it runs.
    repeats : tuple of ((int, ...), (int, ...)) or None
        For each leaf that has fewer columns than the program: its shape, and the row over which it is repeated.
    """

    program: Program
    rows: int
    columns: int
    repeats: tuple[tuple[Shape, Shape] | None, ...]

    def inputs(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Return the program's inputs for the leaves' arrays."""
        return [
            array if repeat is None else np.ascontiguousarray(np.broadcast_to(array.reshape(repeat[0]), repeat[1]))
            for array, repeat in zip(arrays, self.repeats, strict=True)
        ]


@cache
def joined(a: Shape, b: Shape) -> Shape:
    """Return the shape of two operands that are broadcast."""
    return np.broadcast_shapes(a, b)


@cache
def plan(signature: Signature) -> Plan:
    """Return the plan of a stretch."""
    stores, reductions, entries = signature
    shapes = _shapes(entries)
    targets = [shapes[i] for i, _ in stores] + [shapes[i] for _, i in reductions]
    whole = max(targets, key=lambda s: (math.prod(s), len(s)))
    assert all(math.prod(shape) == math.prod(whole) for shape in targets), "one stretch, one shape"
    leaves = [i for i, entry in enumerate(entries) if entry[0] == "leaf"]
    parameters = [i for i, entry in enumerate(entries) if entry[0] == "parameter"]
    steps = [i for i, entry in enumerate(entries) if entry[0] not in ("leaf", "parameter")]
    number = {entry: i for i, entry in enumerate([*leaves, *parameters, *steps])}
    kinds = [_kind(shapes[i], whole) for i in leaves]
    flat, columns = _columns([shapes[i] for i in leaves], kinds, whole, any(k == "column_sum" for k, _ in reductions))
    return Plan(
        program=Program(
            inputs=tuple((kind, entries[i][1]) for kind, i in zip(kinds, leaves, strict=True)),
            parameters=tuple(entries[i][1] for i in parameters),
            instructions=tuple(
                (entries[i][0], tuple(number[operand] for operand in entries[i][2:]), entries[i][1]) for i in steps
            ),
            stores=tuple((number[i], dtype) for i, dtype in stores),
            reductions=tuple((kind, number[i]) for kind, i in reductions),
            columns=not flat,
        ),
        rows=math.prod(whole) // columns if columns else 0,
        columns=columns,
        repeats=tuple(
            _repeat(shapes[i], whole, columns) if kind == "column" else None
            for kind, i in zip(kinds, leaves, strict=True)
        ),
    )


def _shapes(entries: tuple[tuple[Any, ...], ...]) -> list[Shape]:
    shapes: list[Shape] = []
    for kind, _, *rest in entries:
        if kind == "leaf":
            shapes.append(rest[0])
            continue
        shape: Shape = ()
        for operand in rest:
            shape = joined(shape, shapes[operand])
        shapes.append(shape)
    return shapes


def _columns(shapes: list[Shape], kinds: list[str], whole: Shape, sums: bool) -> tuple[bool, int]:
    """Return whether the elements are one flat run, and the length of a row."""
    widths = [_width(shape, whole, kind) for shape, kind in zip(shapes, kinds, strict=True) if kind != "full"]
    by_column = "column" in kinds or sums
    columns = max(widths, default=1)
    if by_column and whole:
        # a single element that is repeated, or a sum over rows alone, still walks whole rows
        columns = max(columns, whole[-1])
    return not widths and not by_column, columns


def _kind(shape: Shape, whole: Shape) -> str:
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


def _width(shape: Shape, whole: Shape, kind: str) -> int:
    """How many columns an operand's kind makes a row have."""
    if kind == "column":
        return math.prod(shape)
    trimmed = len(shape)
    while trimmed and shape[trimmed - 1] == 1:
        trimmed -= 1
    return math.prod(whole[trimmed:])


def _repeat(shape: Shape, whole: Shape, columns: int) -> tuple[Shape, Shape] | None:
    """Return how a narrow operand of columns is brought to the length of a row; None where it has that."""
    if math.prod(shape) == columns:
        return None
    axes, size = 0, 1
    while size < columns:
        axes += 1
        size *= whole[-axes]
    row = whole[len(whole) - max(axes, 1) :]
    # axes of size 1 in front repeat nothing
    return shape[max(0, len(shape) - len(row)) :], row
