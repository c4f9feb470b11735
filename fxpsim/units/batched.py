"""One matrix product for each of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fxpsim.units.values import Accumulated, Operand


def run_batched(mac: Any, a: Operand, b: Operand, **transposed: bool) -> Accumulated:
    """Run ``matmul`` of a MAC array for every index of the first axis and stack the results."""
    if hasattr(mac, "run_batched"):
        return mac.run_batched(a, b, **transposed)
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
