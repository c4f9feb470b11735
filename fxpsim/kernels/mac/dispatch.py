"""Which lane executes a task: the fastest one that is proven to give the accumulator's codes."""

import numpy as np

from fxpsim.kernels.mac import stepwise
from fxpsim.kernels.mac.frames import framed
from fxpsim.kernels.mac.spec import MacResult, MacSpec
from fxpsim.kernels.mac.task import Task


def contract(task: Task, spec: MacSpec, a_bound: int, b_bound: int) -> MacResult:
    """Execute a task on integer codes.

    Parameters
    ----------
    task : Task
    spec : MacSpec
        The accumulator.
    a_bound, b_bound : int
        Largest magnitude that the operands' formats allow.

    Raises
    ------
    UserError
        If a product, or the sum of a chunk, can exceed 2^62.
    """
    stepwise.check_widths(spec, task.k, a_bound, b_bound)
    codes = np.empty(task.shape, spec.dtype)
    out = codes.reshape(-1, codes.shape[-1])
    overflowed = _stepwise(task, spec, out)
    max_abs = max(int(codes.max()), -int(codes.min())) if codes.size else 0
    return MacResult(codes=codes, overflowed=overflowed, max_abs=max_abs)


def _stepwise(task: Task, spec: MacSpec, out: np.ndarray) -> int:
    image = framed(task.a, task.contraction.frame, np.int64, stepwise.EMPTY).reshape(-1)
    overflowed = 0
    for group, b in enumerate(task.b):
        first = group * task.n
        overflowed += stepwise.accumulate(
            task.contraction,
            image,
            group * task.contraction.group_base,
            b,
            out[:, first : first + task.n],
            spec,
            first=first,
            columns=out.shape[1],
        )
    return overflowed
