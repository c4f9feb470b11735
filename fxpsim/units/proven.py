"""Products of a batch of small matrices in one kernel call, where no sum can leave the accumulator."""

from __future__ import annotations

from typing import Any

from fxpsim.kernels.batched import INT32_MAX, batched_matmul
from fxpsim.units.values import Accumulated, Operand, SumCounts


def run_at_once(mac: Any, a: Operand, b: Operand, **transposed: bool) -> Accumulated | None:
    """Run ``matmul`` of a MAC array for every index of the first axis; None where the exact sum may not decide.

    No prefix of a sum exceeds K times the largest product that the formats allow. Where that fits the accumulator
    (and no product is rounded before it is added), neither its overflow logic nor the order of its additions matters.
    """
    if a.format is None or b.format is None or mac.spec.rounds:
        return None
    m, k = a.shape[:0:-1] if transposed.get("transpose_a") else a.shape[1:]
    n = b.shape[1 if transposed.get("transpose_b") else 2]
    limit = min(mac.spec.max_code, -mac.spec.min_code, INT32_MAX)
    if k * a.bound * b.bound > limit:
        return None
    mac.count("matmul", SumCounts(sums=len(a.codes) * m * n, products=len(a.codes) * m * k * n))
    codes, largest = batched_matmul(a.codes, b.codes, **transposed)
    return Accumulated(codes, a.format.frac_bits + b.format.frac_bits, largest)
