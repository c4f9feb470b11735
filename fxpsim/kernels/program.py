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


@cache
def _compiled(program: Program):
    return write_source(program)


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
    elements = rows * columns
    repeat = _repeat(rows, columns, program) if program.columns else 1
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
    outputs = [empty(elements, DTYPES[dtype]) for _, dtype in program.stores]
    slots = [_slots(program, kind, value, units, columns) for kind, value in program.reductions]
    integers = np.array([p for p, t in zip(parameters, program.parameters, strict=True) if t != "f32"], np.int64)
    scalars: list[np.ndarray] = [integers]
    if "f32" in program.parameters:
        floats = [p for p, t in zip(parameters, program.parameters, strict=True) if t == "f32"]
        scalars.append(np.array(floats, np.float32))
    shape = np.array([rows, columns, step], np.int64)
    views = [
        outputs[[v for v, _ in program.stores].index(value)].view(np.int32)
        for kind, value in program.reductions
        if kind == "max_abs"
    ]
    arguments = (shape, *scalars, *inputs, *outputs, *views, *slots)
    if units < PARALLEL_UNITS:
        _compiled(program)(0, units, *arguments)
    else:
        parallel_for(_compiled(program), units, *arguments)
    results = [_combine(kind, slot, repeat) for (kind, _), slot in zip(program.reductions, slots, strict=True)]
    return outputs, results


def _repeat(rows: int, columns: int, program: Program) -> int:
    """How many rows to treat as one, so that the inner loop is long enough to be worth vectorizing."""
    if columns >= MIN_COLUMNS or any(kind == "row" for kind, _ in program.inputs):
        return 1
    wanted = -(-MIN_COLUMNS // columns)
    return next((k for k in range(wanted, min(rows, 8 * wanted) + 1) if rows % k == 0), 1)


def _slots(program: Program, kind: str, value: int, units: int, columns: int) -> np.ndarray:
    match kind:
        case "sum":
            return np.zeros(units, np.int64)
        case "range":
            return np.zeros((units, 2), np.int64)
        case "max_abs":
            return np.zeros(units, np.int32)
        case _:
            return np.zeros((units, columns), np.float32 if program.dtype(value) == "f32" else np.int64)


def _combine(kind: str, slot: np.ndarray, repeat: int) -> object:
    match kind:
        case "sum":
            return int(slot[0]) if len(slot) == 1 else int(slot.sum())
        case "range":
            if len(slot) == 1:
                return int(slot[0, 0]), int(slot[0, 1])
            return int(slot[:, 0].min()), int(slot[:, 1].max())
        case "max_abs":
            return (slot if len(slot) == 1 else slot.max(keepdims=True)).view(np.float32)[0]
        case _:
            total = np.zeros(slot.shape[1] // repeat, slot.dtype)
            _fold(slot.reshape(-1, total.size), total)
            return total


@kernel
def _fold(parts, total):
    """Add rows one after the other: the order of a float sum is part of the result."""
    for i in range(len(parts)):
        row = parts[i]
        for j in range(total.size):
            total[j] += row[j]
