"""One matrix product for each of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxpsim.units.mac import MacArray
from fxpsim.units.proven import run_at_once
from fxpsim.units.values import Accumulated, Operand


def run_batched(mac: Any, a: Operand, b: Operand, **transposed: bool) -> Accumulated:
    """Run ``matmul`` of a MAC array for every index of the first axis and stack the results."""
    if hasattr(mac, "run_batched"):
        return mac.run_batched(a, b, **transposed)
    if isinstance(mac, MacArray) and type(a) is type(b) is Operand:
        result = run_at_once(mac, a, b, **transposed)
        if result is not None:
            return result
    parts = [
        mac.run("matmul", Operand(a.codes[i], a.format), Operand(b.codes[i], b.format), **transposed)
        for i in range(len(a.codes))
    ]
    return Accumulated(
        np.stack([part.codes for part in parts]),
        parts[0].frac_bits,
        max(part.max_abs for part in parts),
        sum(part.overflowed for part in parts),
    )
