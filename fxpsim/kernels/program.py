"""Vector programs: a stretch of element-wise operations as one fused, parallel kernel.

A :class:`Program` is a straight-line list of scalar operations over inputs that are read element by element
(``full``), repeated over the last axis (``column``) or repeated along rows (``row``). It may store several results
and end in reductions. Programs with the same structure share one kernel: every number (shift, limit, scale, key) is
an argument, so that another format or step compiles nothing.

The work is cut into units of a fixed number of elements, chosen from the shape alone, and every unit owns its slot
of each reduction. The result therefore does not depend on the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.memory import empty
from fxpsim.kernels.program_source import write_source
from fxpsim.kernels.threads import inline, parallel_for

UNIT_ELEMENTS = 16384
MIN_COLUMNS = 256
PARALLEL_UNITS = 2  # handing over costs less than half a unit

DTYPES = {
    "i8": np.int8,
    "u8": np.uint8,
    "i16": np.int16,
    "u16": np.uint16,
    "i32": np.int32,
    "i64": np.int64,
    "f32": np.float32,
}


@dataclass(frozen=True)
class Program:
    """Structure of a vector program.

    Values are numbered: inputs, then parameters, then one per instruction.

    Parameters
    ----------
    inputs : tuple of (kind, dtype)
        ``kind`` is ``full``, ``column`` or ``row``; ``dtype`` a key of ``DTYPES``.
    parameters : tuple of str
        dtype of each scalar: ``i32``, ``i64`` or ``f32``.
    instructions : tuple of (primitive, operands, dtype)
        ``primitive`` names a scalar function; ``index`` is the element's flat index.
    stores : tuple of (value, dtype)
        Values written to arrays.
    reductions : tuple of (kind, value)
        ``sum`` (exact, of integers), ``range`` (smallest and largest integer, 0 included), ``column_sum``.
    columns : bool
        Whether the kernel walks rows of columns; otherwise everything is one flat run.
    """

    inputs: tuple[tuple[str, str], ...]
    parameters: tuple[str, ...]
    instructions: tuple[tuple[str, tuple[int, ...], str], ...]
    stores: tuple[tuple[int, str], ...]
    reductions: tuple[tuple[str, int], ...]
    columns: bool

    def dtype(self, value: int) -> str:
        """Return the dtype of a value by its number."""
        if value < len(self.inputs):
            return self.inputs[value][1]
        value -= len(self.inputs)
        if value < len(self.parameters):
            return self.parameters[value]
        return self.instructions[value - len(self.parameters)][2]

    @cached_property
    def layout(self) -> Layout:
        """The layout of the program, shared by all that are equal to it."""
        return layout(self)


class Layout:
    """Where a program's kernel finds its arguments and leaves its reductions; worked out once for each structure.

    Scalar reductions share one array ``totals`` of int64 with a row for each unit: a sum takes one column, a range two
    (minus the smallest, the largest).
    """

    def __init__(self, program: Program) -> None:
        self.dtypes = [DTYPES[dtype] for _, dtype in program.stores]
        self.integers = [i for i, dtype in enumerate(program.parameters) if dtype != "f32"]
        self.floats = [i for i, dtype in enumerate(program.parameters) if dtype == "f32"]
        self.by_column = {
            i: np.float32 if program.dtype(value) == "f32" else np.int64
            for i, (kind, value) in enumerate(program.reductions)
            if kind == "column_sum"
        }
        self.places: dict[int, int] = {}
        self.width = 0
        for i, (kind, _) in enumerate(program.reductions):
            if kind != "column_sum":
                self.places[i] = self.width
                self.width += 2 if kind == "range" else 1
        self.kinds = [kind for kind, _ in program.reductions]
        self.has_rows = any(kind == "row" for kind, _ in program.inputs)
        self.kernel = write_source(program, self)
        self.columns = program.columns
        self.repeated = [kind == "column" for kind, _ in program.inputs]
        self.cuts: dict[tuple[int, int], Cut] = {}

    def cut(self, rows: int, columns: int) -> Cut:
        """Return how the work over a shape is cut."""
        found = self.cuts.get((rows, columns))
        if found is None:
            found = self.cuts[rows, columns] = Cut(rows, columns, _repeat(rows, columns, self))
        return found

    def results(self, totals: np.ndarray, columns: dict[int, np.ndarray], repeat: int) -> list[object]:
        """Fold the units' reductions."""
        sums = tops = totals[0].tolist() if len(totals) else [0] * self.width
        if len(totals) > 1 and self.width:
            both = np.empty((2, self.width), np.int64)
            _fold_totals(totals, both)
            sums, tops = both.tolist()
        found: list[object] = []
        for i, kind in enumerate(self.kinds):
            if kind == "column_sum":
                slot = columns[i]
                total = np.zeros(slot.shape[1] // repeat, slot.dtype)
                _fold(slot.reshape(-1, total.size), total)
                found.append(total)
                continue
            at = self.places[i]
            if kind == "sum":
                found.append(sums[at])
            else:
                found.append((-tops[at], tops[at + 1]))
        return found


@cache
def layout(program: Program) -> Layout:
    """Return the layout of a program, its kernel compiled on first call."""
    return Layout(program)


def run(
    program: Program, inputs: list[np.ndarray], parameters: list[float | int], rows: int, columns: int
) -> tuple[list[np.ndarray], list[object]]:
    """Run a program over ``rows x columns`` elements.

    Parameters
    ----------
    program : Program
        What to do.
    inputs : list of ndarray
        Contiguous arrays: ``rows * columns`` elements (full), ``columns`` (column) or ``rows`` (row).
    parameters : list of int or float
        The scalars, in the program's order.
    rows, columns : int
        The shape over which to run; a program without columns takes ``columns=1``.

    Returns
    -------
    stores : list of ndarray
        Flat arrays of ``rows * columns`` elements.
    reductions : list
        ``int`` (sum), ``(int, int)`` (range), ndarray of ``columns`` (column_sum: int64 or
        float32, summed in an order that depends on the shape alone).
    """
    plan = program.layout
    cut = plan.cut(rows, columns)
    repeat, units = cut.repeat, cut.units
    outputs = [empty(rows * columns, dtype) for dtype in plan.dtypes]
    totals = np.empty((units, plan.width), np.int64)
    arguments = [totals, np.array([*cut.numbers, *[parameters[i] for i in plan.integers]], np.int64)]
    if plan.floats:
        arguments.append(np.array([parameters[i] for i in plan.floats], np.float32))
    if repeat == 1:
        arguments += [a.reshape(-1) for a in inputs]
    else:
        arguments += [_tiled(a, repeat) if t else a.reshape(-1) for a, t in zip(inputs, plan.repeated, strict=True)]
    arguments += outputs
    by_column: dict[int, np.ndarray] = {}
    if plan.by_column:
        by_column = {i: np.zeros((units, cut.numbers[1]), dtype) for i, dtype in plan.by_column.items()}
        arguments += by_column.values()
    share = inline if units < PARALLEL_UNITS else parallel_for
    share(plan.kernel, units, *arguments)
    return outputs, plan.results(totals, by_column, repeat) if plan.kinds else []


class Cut:
    """How the work over a shape is cut into units; so many rows are joined to one that vector instructions like it."""

    __slots__ = ("numbers", "repeat", "units")

    def __init__(self, rows: int, columns: int, repeat: int) -> None:
        rows, columns = rows // repeat, columns * repeat
        step = max(1, UNIT_ELEMENTS // columns)
        self.repeat, self.units = repeat, -(-rows // step)
        self.numbers = (rows, columns, step)


def _tiled(array: np.ndarray, repeat: int) -> np.ndarray:
    out = np.empty((repeat, array.size), array.dtype)
    out[:] = array.reshape(-1)
    return out.reshape(-1)


def _repeat(rows: int, columns: int, plan: Layout) -> int:
    """How many rows to treat as one, so that the inner loop is long enough to be worth vectorizing."""
    if not plan.columns or columns >= MIN_COLUMNS or plan.has_rows:
        return 1
    wanted = -(-MIN_COLUMNS // columns)
    return next((k for k in range(wanted, min(rows, 8 * wanted) + 1) if rows % k == 0), 1)


@kernel
def _fold_totals(totals, both):
    """Add and maximize the units' rows."""
    for j in range(both.shape[1]):
        both[0, j] = both[1, j] = totals[0, j]
    for i in range(1, len(totals)):
        for j in range(both.shape[1]):
            both[0, j] += totals[i, j]
            both[1, j] = max(both[1, j], totals[i, j])


@kernel
def _fold(parts, total):
    """Add rows one after the other: the order of a float sum is part of the result."""
    for i in range(len(parts)):
        row = parts[i]
        for j in range(total.size):
            total[j] += row[j]
