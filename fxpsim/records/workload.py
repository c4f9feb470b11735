"""Workload tables: the GEMMs of one step, and its element-wise work."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fxpsim.records.checking import canonical, fail_row
from fxpsim.records.columns import PASSES, VECTOR_COLUMNS, WORKLOAD_COLUMNS
from fxpsim.records.files import read_table
from fxpsim.registry import unknown

if TYPE_CHECKING:
    import pandas as pd

    TableLike = str | Path | pd.DataFrame | list[dict[str, Any]]


def as_workload(table: "TableLike", *, where: str = "") -> "pd.DataFrame":
    """Return a validated workload table: one row per GEMM ``(m x k) @ (k x n)`` of a step.

    Parameters
    ----------
    table : path, DataFrame or list of dict
        With the columns of ``WORKLOAD_COLUMNS``; ``count`` and ``kernel_positions`` default to 1.
    where : str
        Names the table in errors (a path names itself).

    Raises
    ------
    UserError
        With file, row and column of the first thing that is wrong.

    Examples
    --------
    >>> row = {"layer": "fc", "pass": "forward", "op": "matmul", "m": 2, "k": 3, "n": 4}
    >>> as_workload([{**row, "a_elements": 6, "b_elements": 12, "out_elements": 8}])["count"].tolist()
    [1]
    """
    frame, where = open_table(table, where or "workload")
    frame = canonical(frame, WORKLOAD_COLUMNS, where=where)
    check_passes(frame, where, PASSES[:3])
    uneven = (frame["k"] % frame["kernel_positions"]).to_numpy() != 0
    if uneven.any():
        row = int(np.argmax(uneven))
        fail_row(
            where,
            row,
            "kernel_positions",
            what=f"kernel_positions {frame['kernel_positions'][row]} does not divide k = {frame['k'][row]}",
            expected="kernel height x width of a convolution with k = height x width x channels",
            remedy="correct it, or leave the column out (1)",
        )
    products = frame[["m", "k", "n", "count"]].astype(float).prod(axis=1).to_numpy()
    if (products >= 2.0**50).any():
        row = int(np.argmax(products))
        fail_row(
            where,
            row,
            "m, k, n",
            what="2^50 MACs or more in one row",
            expected="m k n count below 2^50 (a step on one accelerator)",
            remedy="price one accelerator's share of the batch",
        )
    return frame


def as_vector_workload(table: "TableLike", *, where: str = "") -> "pd.DataFrame":
    """Return a validated table of the element-wise work of a step (``VECTOR_COLUMNS``).

    Examples
    --------
    >>> row = {"layer": "relu", "pass": "forward", "op": "relu", "read_elements": 8, "write_elements": 8}
    >>> len(as_vector_workload([{**row, "operations": 8}]))
    1
    """
    frame, where = open_table(table, where or "vector workload")
    frame = canonical(frame, VECTOR_COLUMNS, where=where)
    check_passes(frame, where, PASSES)
    return frame


def open_table(table: "TableLike", where: str) -> "tuple[pd.DataFrame, str]":
    """Return the table and its name in errors."""
    import pandas as pd

    if isinstance(table, (str, Path)):
        return read_table(table), str(table)
    if isinstance(table, pd.DataFrame):
        return table, str(table.attrs.get("where", where))  # a validated table remembers its file
    return pd.DataFrame(table), where


def check_passes(frame: "pd.DataFrame", where: str, allowed: tuple[str, ...]) -> None:
    """Refuse the first pass that is none of those allowed."""
    passes = frame["pass"]
    for name in passes.cat.categories:
        if name not in allowed:
            row = int(np.argmax((passes == name).to_numpy()))
            raise unknown(
                "pass", str(name), allowed, where=f"{where}, row {row} (line {row + 2} of a CSV), column pass"
            )
