"""One matrix product for each of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxpsim.units.coded import CodedOperand
from fxpsim.units.mac import MacArray
from fxpsim.units.proven import run_at_once
from fxpsim.units.values import Accumulated, Operand


def run_batched(mac: Any, a: Operand | CodedOperand, b: Operand | CodedOperand, **transposed: bool) -> Accumulated:
    """Run ``matmul`` of a MAC array for every index of the first axis and stack the results."""
    if hasattr(mac, "run_batched"):
        return mac.run_batched(a, b, **transposed)
    if isinstance(mac, MacArray) and isinstance(a, Operand) and isinstance(b, Operand):
        result = run_at_once(mac, a, b, **transposed)
        if result is not None:
            return result
    parts = [mac.run("matmul", _part(a, i), _part(b, i), **transposed) for i in range(len(a.codes))]
    # of coded operands, each product may come at a point of its own
    finest = max((part.frac_bits for part in parts if part.frac_bits is not None), default=None)
    for part in parts:
        if part.frac_bits is not None and finest is not None and part.frac_bits < finest:
            shift, part.frac_bits = finest - part.frac_bits, finest
            part.codes, part.max_abs = part.codes.astype(np.int64) << shift, part.max_abs << shift
    return Accumulated(
        np.stack([part.codes for part in parts]),
        finest,
        max(part.max_abs for part in parts),
        sum(part.overflowed for part in parts),
    )


def _part(operand: Operand | CodedOperand, index: int) -> Operand | CodedOperand:
    if isinstance(operand, CodedOperand):
        return operand.part(index)
    return Operand(operand.codes[index], operand.format)
