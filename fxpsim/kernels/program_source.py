"""Generate the Python source of a vector program's kernel and compile it.

The source is plain Numba Python that a person can read (``fxpsim doctor --kernels`` prints it): a loop over units,
inside it a loop over elements with one line per scalar operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fxpsim.kernels import primitives, random, scalar
from fxpsim.kernels.inlining import inline, is_straight_line
from fxpsim.kernels.jit import compile_source, kernel

if TYPE_CHECKING:
    from fxpsim.kernels.program import Layout, Program

FLAGS = ("nonzero", "outside", "vanished", "greater", "equal")
CASTS = {"i32": "np.int32", "i64": "np.int64", "f32": "np.float32"}


def scalar_function(name: str) -> Any:
    """Return the scalar function that a primitive's name stands for."""
    for module in (primitives, scalar, random):
        if hasattr(module, name):
            return getattr(module, name)
    raise AssertionError(f"no scalar function {name!r}")


def write_source(program: Program, layout: Layout) -> Any:
    """Return the compiled kernel of a program."""
    source, namespace = program_source(program, layout)
    return compile_source("vector_program", source, namespace)


def program_source(program: Program, layout: Layout) -> tuple[str, dict[str, Any]]:
    """Return the source text of a program's kernel and the names it uses."""
    body = _Body(program, layout)
    signature = [
        "begin, end, totals, integers",
        *(["floats"] if "f32" in program.parameters else []),  # an all-integer program touches no float at all
        *(f"in{i}" for i in range(len(program.inputs))),
        *(f"out{i}" for i in range(len(program.stores))),
        *(f"slot{i}" for i in layout.by_column),
    ]
    lines = [
        f"def vector_program({', '.join(signature)}):",
        "    rows, columns, step = integers[0], integers[1], integers[2]",
        *("    " + line for line in body.parameter_lines()),
        *("    " + line for line in body.noise_buffers()),
        "    for unit in range(begin, end):",
        "        first = unit * step",
        "        last = min(first + step, rows)",
        *("        " + line for line in body.noise_lines()),
        *("        " + line for line in body.reduction_starts()),
    ]
    if program.columns:
        lines += [
            "        for row in range(first, last):",
            "            a = row * columns",
            "            b = a + columns",
        ]
        depth = 12
    else:
        lines += ["        a = first * columns", "        b = last * columns"]
        depth = 8
    indent = " " * depth
    lines += [indent + line for line in body.slices()]
    lines += [indent + "for i in range(b - a):"]
    lines += [indent + "    " + line for line in body.elements()]
    lines += [indent + line for line in body.after_loop()]
    lines += ["        " + line for line in body.reduction_ends()]
    return "\n".join(lines) + "\n", body.namespace


class _Body:
    """The lines of one program."""

    def __init__(self, program: Program, layout: Layout) -> None:
        self.program, self.layout = program, layout
        self.namespace: dict[str, Any] = {"np": np}
        self.first = len(program.inputs) + len(program.parameters)
        # instruction -> values of its two keys, where the random word is that of the element itself
        self.noises = {
            k: operands[1:]
            for k, (name, operands, _) in enumerate(program.instructions)
            if name == "random_word" and self._is_index(operands[0])
        }
        if self.noises:
            self.namespace |= {"fill_words": random.fill_words, "GROUP": random.GROUP}

    def _is_index(self, value: int) -> bool:
        return value >= self.first and self.program.instructions[value - self.first][0] == "index"

    def noise_buffers(self) -> list[str]:
        return [f"words{k} = np.empty(step * columns + 2 * GROUP, np.uint32)" for k in self.noises]

    def noise_lines(self) -> list[str]:
        """Fill the random words of a whole unit: in groups they cost half as much, and in 32-bit lanes."""
        if not self.noises:
            return []
        lines = ["origin = first * columns // GROUP * GROUP", "for group in range(origin, last * columns, GROUP):"]
        for k, (key0, key1) in self.noises.items():
            part = f"words{k}[group - origin : group - origin + GROUP]"
            lines.append(f"    fill_words(group, v{key0}, v{key1}, {part})")
        return lines

    def parameter_lines(self) -> list[str]:
        first = len(self.program.inputs)
        lines, integers, floats = [], 3, 0
        for i, dtype in enumerate(self.program.parameters):
            if dtype == "f32":
                lines.append(f"v{first + i} = floats[{floats}]")
                floats += 1
            else:
                lines.append(f"v{first + i} = {CASTS[dtype]}(integers[{integers}])")
                integers += 1
        return lines

    def slices(self) -> list[str]:
        lines = []
        for i, (kind, _) in enumerate(self.program.inputs):
            if kind == "full":
                lines.append(f"x{i} = in{i}[a:b]")
            elif kind == "column":
                lines.append(f"x{i} = in{i}[0:columns]")
            else:
                lines.append(f"v{i} = in{i}[row]")
        lines += [f"y{i} = out{i}[a:b]" for i in range(len(self.program.stores))]
        lines += [f"w{k} = words{k}[a - origin : b - origin]" for k in self.noises]
        for i, (kind, value) in enumerate(self.program.reductions):
            if kind == "sum" and self._is_short(value):
                lines.append(f"c{i} = np.int32(0)")
            elif kind == "column_sum":
                lines.append(f"s{i} = slot{i}[unit]")
        return lines

    def elements(self) -> list[str]:
        program = self.program
        lines = []
        for i, (kind, dtype) in enumerate(program.inputs):
            if kind != "row":
                wide = "np.float32" if dtype == "f32" else ("np.int64" if dtype == "i64" else "np.int32")
                lines.append(f"v{i} = {wide}(x{i}[i])")
        for k, (name, operands, dtype) in enumerate(program.instructions):
            if k in self.noises:
                lines.append(f"v{self.first + k} = {CASTS[dtype]}(w{k}[i])")
            else:
                lines += self._instruction(name, [f"v{o}" for o in operands], f"v{self.first + k}", dtype)
        lines += [f"y{i}[i] = v{value}" for i, (value, _) in enumerate(program.stores)]
        for i, (kind, value) in enumerate(program.reductions):
            if kind == "sum":
                # counts of a slice fit 32 bits: its length does
                lines.append(
                    f"c{i} = np.int32(c{i} + v{value})" if self._is_short(value) else f"r{i} += np.int64(v{value})"
                )
            elif kind == "range":
                lines += [f"low{i} = min(low{i}, v{value})", f"high{i} = max(high{i}, v{value})"]
            elif kind == "column_sum":
                lines.append(f"s{i}[i] += v{value}")
        return lines

    def _is_short(self, value: int) -> bool:
        """Whether a value is a 0 or a 1, by its instruction."""
        at = value - self.first
        return at >= 0 and self.program.instructions[at][0] in FLAGS

    def _instruction(self, name: str, arguments: list[str], target: str, dtype: str) -> list[str]:
        if name == "index":
            return [f"{target} = np.int64(a + i)"]
        function = scalar_function(name)
        if is_straight_line(function):
            self.namespace |= {k: v for k, v in function.__globals__.items() if k in function.__code__.co_names}
            return inline(function, arguments, target, CASTS[dtype])
        self.namespace[name] = kernel(function)
        return [f"{target} = {CASTS[dtype]}({name}({', '.join(arguments)}))"]

    def reduction_starts(self) -> list[str]:
        lines = []
        for i, (kind, value) in enumerate(self.program.reductions):
            if kind == "sum":
                lines.append(f"r{i} = np.int64(0)")
            elif kind == "range":
                zero = "np.int32(0)" if self.program.dtype(value) not in ("i64",) else "np.int64(0)"
                lines += [f"low{i} = {zero}", f"high{i} = {zero}"]
        return lines

    def after_loop(self) -> list[str]:
        return [
            f"r{i} += np.int64(c{i})"
            for i, (kind, value) in enumerate(self.program.reductions)
            if kind == "sum" and self._is_short(value)
        ]

    def reduction_ends(self) -> list[str]:
        lines = []
        for i, at in self.layout.places.items():
            kind = self.program.reductions[i][0]
            if kind == "sum":
                lines.append(f"totals[unit, {at}] = r{i}")
            else:
                lines += [f"totals[unit, {at}] = -np.int64(low{i})", f"totals[unit, {at + 1}] = high{i}"]
        return lines
