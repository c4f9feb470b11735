"""The generated cast kernels: one per rounding mode, the mode's own text written into the loop.

A unit of work is a run of GROUP elements. The main loop rounds, clamps, stores and counts, without a branch, so that
it vectorizes. A second loop repairs the elements out of range for the rules other than clamping; it runs only
for groups that have any. Results: ``counts[unit share] = overflowed, flushed to zero, inexact, refused``, where
refused elements (no number, or too large for this kernel) make the caller take the wide kernel.
"""

from functools import cache
from string import Template
from typing import Any

import numpy as np

from fxpsim.kernels import random, scalar
from fxpsim.kernels.cast.range import outside_code
from fxpsim.kernels.inlining import inline
from fxpsim.kernels.jit import compile_source
from fxpsim.numerics import Rounding

GROUP = random.GROUP
COUNTERS = 4

_FRAME = """
def $name(begin, end, $inputs, out, words, counts, numbers, limits, key):
    $unpack = numbers
    overflowed = flushed = inexact = refused = 0
    noise_words = np.empty($noise_size, np.uint32)
    for unit in range(begin, end):
        a = unit * $group
        b = min(a + $group, out.size)
        ys = out[a:b]
        $slices
        $noise
        outside = 0
        for i in range(ys.size):
            $round
            inexact += $inexact
            flushed += (q == 0) & (y != 0)
            outside += (q < least) | (q > greatest)
            $refuse
            ys[i] = np.$convert(min(max(q, least), greatest))
        overflowed += outside
        if outside > 0 and limits.rule != 0:
            for i in range(ys.size):
                $round
                if q < least or q > greatest:
                    whole = np.int64(q)
                    before = np.int64($floor) if limits.ap else whole
                    deleted = (before >> limits.word) & 1 != 0
                    ys[i] = np.int64(outside_code(np.uint64(whole), q < 0, deleted, limits))
    counts[begin, 0] = overflowed
    counts[begin, 1] = flushed
    counts[begin, 2] = inexact
    counts[begin, 3] = refused
"""

_NOISE = """if words.size > 0:
    ns = words[a:b]
else:
    fill_words(a, key[0], key[1], noise_words)
    ns = noise_words[: b - a]
mask = np.uint32(key[2])"""


def _fill(frame: str, parts: dict[str, str]) -> str:
    """Replace the ``$names`` of a frame; a part of several lines takes the indentation of its place."""
    lines: list[str] = []
    for line in frame.strip().split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        whole = parts.get(line.strip()[1:]) if line.strip().startswith("$") and " " not in line.strip() else None
        if whole is None:
            lines.append(Template(line).substitute(parts))
        else:
            lines += [indent + part for part in whole.split("\n") if part]
    return "\n".join(lines) + "\n"


def _compile(name: str, rounding: Rounding, function: Any, arguments: list[str], target: str, **parts: str) -> Any:
    noise = "np.int64(ns[i] & mask)" if rounding.is_stochastic else "np.int64(0)"
    rounded = inline(function, [*arguments, "noise"], "q", target)
    parts["round"] = "\n".join([parts.pop("value"), f"noise = {noise}", *rounded])
    parts["noise"] = _NOISE if rounding.is_stochastic else ""
    parts["noise_size"] = str(GROUP if rounding.is_stochastic else 1)
    source = _fill(_FRAME, {"name": name, "group": str(GROUP), **parts})
    names = {k: v for k, v in function.__globals__.items() if k in function.__code__.co_names}
    namespace = {"np": np, "fill_words": random.fill_words, "outside_code": outside_code, **names}
    return compile_source(name, source, namespace)


@cache
def float_kernel(rounding: Rounding, convert: str) -> Any:
    """Return the kernel that casts floats; its numbers are ``(scale, least, greatest, limit)``.

    ``x * scale`` must be exact. ``convert`` names an integer type that holds every code (``int32`` is the faster).
    """
    return _compile(
        f"cast_float_{rounding.value}_{convert}",
        rounding,
        getattr(scalar, f"round_float_{rounding.value}"),
        ["y"],
        "np.float64",
        inputs="x",
        unpack="scale, least, greatest, limit",
        slices="xs = x[a:b]",
        value="y = np.float64(xs[i]) * scale",
        inexact="q != y",
        refuse="refused += not (abs(y) <= limit)",
        convert=convert,
        floor="np.floor(y)",
    )


# operation -> inputs, their slices, the value of element i
_OPERATIONS = {
    "cast": ("x", "xs = x[a:b]", "y = np.int64(xs[i]) << left"),
    "multiply": ("x, z", "xs = x[a:b]\nzs = z[a:b]", "y = (np.int64(xs[i]) * np.int64(zs[i])) << left"),
}


@cache
def integer_kernel(operation: str, rounding: Rounding) -> Any:
    """Return the kernel that casts codes (``cast``) or products of codes (``multiply``).

    Numbers are ``(left, right, least, greatest)``: the value is shifted left, then ``right`` bits are dropped. The
    shifted value must fit 62 bits and a sign.
    """
    inputs, slices, value = _OPERATIONS[operation]
    return _compile(
        f"{operation}_integer_{rounding.value}",
        rounding,
        getattr(scalar, f"round_shift_{rounding.value}"),
        ["y", "right"],
        "np.int64",
        inputs=inputs,
        unpack="left, right, least, greatest",
        slices=slices,
        value=value,
        inexact="(q << right) != y",
        refuse="",
        convert="int64",
        floor="y >> right",
    )
