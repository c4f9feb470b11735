"""Products that sum over samples of a few word lengths: one integer product for the samples of each.

Where every sample (axis 0) has a step of its own, a sum over samples has no integer product. Where the samples share
a few steps, an array works off those of one step after the other; the readings of the parts are added in that order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fxpsim.units.coded import CodedOperand

MOST = 8  # parts; and at least twice as many samples, else nothing is shared
SUMMED = ("conv2d_weight_grad", "matmul")


def sample_groups(
    operation: str, a: CodedOperand, b: CodedOperand, attributes: dict[str, Any]
) -> list[tuple[CodedOperand, CodedOperand]] | None:
    """Return the operands cut into groups of samples with one step each; None where there are no such groups.

    Groups come in the order of the steps of ``a``, then of ``b``.

    Examples
    --------
    >>> step = np.array([1.0, 0.5, 1.0, 1.0]).reshape(4, 1)
    >>> a = CodedOperand(np.arange(8).reshape(4, 2), 4, step, np.zeros((1, 1)))
    >>> b = CodedOperand(np.arange(4).reshape(4, 1), 4, np.ones((1, 1)), np.zeros((1, 1)))
    >>> [x.codes.tolist() for x, _ in sample_groups("matmul", a, b, {"transpose_a": True})]
    [[[2, 3]], [[0, 1], [4, 5], [6, 7]]]
    """
    if operation not in SUMMED or (operation == "matmul" and not attributes.get("transpose_a")):
        return None
    samples = len(a.codes)
    columns = []
    for operand in (a, b):
        if operand.transform is not None or operand.products is not None:
            return None
        for array in (operand.step, operand.offset):
            if array.size not in (1, len(array)):
                return None
            columns.append(np.broadcast_to(array.reshape(-1), (samples,)))
    kinds, group = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    if len(kinds) > min(MOST, samples // 2):
        return None
    group = group.reshape(-1)
    return [(_part(a, group == index), _part(b, group == index)) for index in range(len(kinds))]


def _part(operand: CodedOperand, chosen: np.ndarray) -> CodedOperand:
    ones = (1,) * operand.codes.ndim
    step, offset = (
        (array[chosen][:1] if array.size > 1 else array).reshape(ones) for array in (operand.step, operand.offset)
    )
    return replace(operand, codes=operand.codes[chosen], step=step, offset=offset, source=None)
