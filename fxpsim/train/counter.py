"""The workload of one step, as the ops report it."""

from __future__ import annotations

from typing import Any


class WorkloadCounter:
    """Collects the rows of the workload tables.

    >>> counter = WorkloadCounter()
    >>> counter.mac("fc", "forward", "matmul", (2, 3, 4), (6, 12, 8), 1)
    >>> counter.gemms[0]["k"]
    3
    """

    def __init__(self) -> None:
        self.gemms: list[dict[str, Any]] = []
        self.vectors: list[dict[str, Any]] = []

    def mac(
        self,
        layer: str,
        pass_: str,
        op: str,
        gemm: tuple[int, int, int],
        elements: tuple[int, int, int],
        count: int,
        kernel_positions: int = 1,
    ) -> None:
        """Enter a GEMM."""
        m, k, n = gemm
        a, b, out = elements
        row = {"layer": layer, "pass": pass_, "op": op, "m": m, "k": k, "n": n}
        positions = {"kernel_positions": kernel_positions if k % kernel_positions == 0 else 1}
        self.gemms.append(row | {"a_elements": a, "b_elements": b, "out_elements": out, "count": count} | positions)

    def vector(self, layer: str, pass_: str, op: str, read: int, write: int, operations: int) -> None:
        """Enter element-wise work."""
        row = {"layer": layer or "network", "pass": pass_, "op": op}
        self.vectors.append(row | {"read_elements": read, "write_elements": write, "operations": operations})
