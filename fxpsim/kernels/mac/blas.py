"""Exact sums by the floating-point BLAS: the reference that no lane shares code with, and a fallback.

A float BLAS adds integers exactly as long as every partial sum stays below ``2**24`` (binary32) or ``2**53``
(binary64), in whatever order it adds. K is therefore cut into chunks that are proven to; the chunks are added as 64-bit
integers. ``FXPSIM_MAC=blas`` makes the MAC array use it wherever the exact sum decides, with the same bits but several
times slower (the operand is spread out as in im2col).
"""

import os
from functools import cache

import numpy as np

from fxpsim.errors import UserError
from fxpsim.kernels.mac.frames import framed
from fxpsim.kernels.mac.spec import MacSpec
from fxpsim.kernels.mac.task import Task
from fxpsim.kernels.threads import single_threaded_blas

EXACT_BELOW = {np.float32: 1 << 24, np.float64: 1 << 53}
MAX_ELEMENTS = 1 << 22  # of the spread-out operand at a time


@cache
def wanted() -> bool:
    """Return whether ``FXPSIM_MAC`` asks for this path; read once in a process.

    Raises
    ------
    UserError
        If it asks for something else.
    """
    choice = os.environ.get("FXPSIM_MAC", "lanes")
    if choice not in ("lanes", "blas"):
        raise UserError(
            f"FXPSIM_MAC is {choice!r}", where="environment", expected="lanes or blas", remedy="unset the variable"
        )
    return choice == "blas"


def exact_sums(task: Task, a_bound: int, b_bound: int) -> np.ndarray | None:
    """Return the exact sums of a task as int64; None if a single product, or the sum, is too wide for that.

    Parameters
    ----------
    task : Task
        The operation.
    a_bound, b_bound : int
        Largest magnitudes of the operands.
    """
    product = max(1, a_bound * b_bound)
    if product >= EXACT_BELOW[np.float64] or product * task.k >= 1 << 63:
        return None
    # short chunks cost more than wide floats
    dtype = np.float32 if EXACT_BELOW[np.float32] // product >= min(task.k, 256) else np.float64
    chunk = (EXACT_BELOW[dtype] - 1) // product
    image = framed(task.a, task.contraction.frame, np.dtype(dtype).type, 0).reshape(-1)
    rows, cols = task.contraction.rows, task.contraction.cols
    out = np.zeros((rows.size, len(task.b) * task.n), np.int64)
    block = max(1, MAX_ELEMENTS // max(1, min(chunk, cols.size)))
    with single_threaded_blas():
        for group, b in enumerate(task.b):
            columns = slice(group * task.n, (group + 1) * task.n)
            base = group * task.contraction.group_base
            for first in range(0, cols.size, chunk):
                part = slice(first, first + chunk)
                weights = b[part].astype(dtype)
                for top in range(0, rows.size, block):
                    some = slice(top, top + block)
                    spread = image[base + rows[some, None] + cols[None, part]]
                    out[some, columns] += (spread @ weights).astype(np.int64)
    return out


def finish(sums: np.ndarray, spec: MacSpec, out: np.ndarray) -> tuple[int, int]:
    """Wrap exact sums into the accumulator; returns how many left its range and the largest magnitude."""
    low, high = spec.min_code, spec.max_code
    outside = int(np.count_nonzero((sums < low) | (sums > high)))
    if outside:
        shift = 64 - spec.word_bits
        codes = sums << shift
        sums = codes >> shift if spec.signed else (codes.view(np.uint64) >> np.uint64(shift)).view(np.int64)
    out[...] = sums
    return outside, max(int(sums.max()), -int(sums.min()))
