"""Vector programs: a stretch of element-wise operations as one fused, parallel kernel.

A :class:`Program` is a straight-line list of scalar operations over inputs that are read element by element
(``full``), repeated over the last axis (``column``) or repeated along rows (``row``). It may store several results
and end in reductions. Programs with the same structure share one kernel: every number (shift, limit, scale, key) is
an argument, so that another format or step compiles nothing.

The work is cut into units of a fixed number of elements, chosen from the shape alone, and every unit owns its slot
of each reduction. The result therefore does not depend on the number of threads.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.memory import empty
from fxpsim.kernels.program_source import write_source
from fxpsim.kernels.threads import parallel_for

UNIT_ELEMENTS = 16384
MIN_COLUMNS = 256
PARALLEL_UNITS = 4  # less work is done before another thread is awake

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
        ``sum`` (exact, of integers), ``range`` (smallest and largest integer), ``max_abs`` (of a stored float: the
        largest absolute value), ``column_sum``.
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


class Layout:
    """Where a program's kernel finds its arguments and leaves its reductions; worked out once for each structure.

    Scalar reductions share one array ``totals`` of int64 with a row for each unit: a sum takes one column, a range two
    (minus the smallest, the largest), a largest magnitude one (the bits of the float, which order like it).
    """

    def __init__(self, program: Program) -> None:
        self.dtypes = [DTYPES[dtype] for _, dtype in program.stores]
        self.integers = [i for i, dtype in enumerate(program.parameters) if dtype != "f32"]
        self.floats = [i for i, dtype in enumerate(program.parameters) if dtype == "f32"]
        stored = [value for value, _ in program.stores]
        self.views = [stored.index(value) for kind, value in program.reductions if kind == "max_abs"]
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

    def results(self, totals: np.ndarray, columns: dict[int, np.ndarray], repeat: int) -> list[object]:
        """Fold the units' reductions."""
        if len(totals) == 1:
            sums = tops = totals[0].tolist()
        else:
            sums = totals.sum(axis=0).tolist() if "sum" in self.kinds else []
            tops = totals.max(axis=0).tolist() if len(self.kinds) > len(columns) else []
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
            elif kind == "range":
                found.append((-tops[at], tops[at + 1]))
            else:
                found.append(np.array([tops[at]], np.int32).view(np.float32)[0])
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
        ``int`` (sum), ``(int, int)`` (range), ``float32`` (max_abs), ndarray of ``columns`` (column_sum: int64 or
        float32, summed in an order that depends on the shape alone).
    """
    plan = layout(program)
    elements = rows * columns
    repeat = _repeat(rows, columns, plan.has_rows) if program.columns else 1
    if repeat > 1:
        inputs = [
            np.tile(a.reshape(-1), repeat) if kind == "column" else a.reshape(-1)
            for a, (kind, _) in zip(inputs, program.inputs, strict=True)
        ]
        rows, columns = rows // repeat, columns * repeat
    else:
        inputs = [a.reshape(-1) for a in inputs]
    step = max(1, UNIT_ELEMENTS // columns)
    units = -(-rows // step)
    outputs = [empty(elements, dtype) for dtype in plan.dtypes]
    by_column = {i: np.zeros((units, columns), dtype) for i, dtype in plan.by_column.items()}
    totals = np.empty((units, plan.width), np.int64)
    integers = np.array([rows, columns, step, *(parameters[i] for i in plan.integers)], np.int64)
    arguments: list[np.ndarray] = [integers]
    if plan.floats:
        arguments.append(np.array([parameters[i] for i in plan.floats], np.float32))
    arguments += inputs
    arguments += outputs
    arguments += [outputs[i].view(np.int32) for i in plan.views]
    arguments += by_column.values()
    if units < PARALLEL_UNITS:
        plan.kernel(0, units, totals, *arguments)
    else:
        parallel_for(plan.kernel, units, totals, *arguments)
    return outputs, plan.results(totals, by_column, repeat) if plan.kinds else []


@cache
def _repeat(rows: int, columns: int, has_rows: bool) -> int:
    """How many rows to treat as one, so that the inner loop is long enough to be worth vectorizing."""
    if columns >= MIN_COLUMNS or has_rows:
        return 1
    wanted = -(-MIN_COLUMNS // columns)
    return next((k for k in range(wanted, min(rows, 8 * wanted) + 1) if rows % k == 0), 1)


@kernel
def _fold(parts, total):
    """Add rows one after the other: the order of a float sum is part of the result."""
    for i in range(len(parts)):
        row = parts[i]
        for j in range(total.size):
            total[j] += row[j]
