"""Accumulation tables: what the accumulators of each layer's GEMMs did, from which step to which step."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fxpsim.records.checking import canonical, fail_row
from fxpsim.records.columns import ACCUMULATION_COLUMNS, PASSES
from fxpsim.records.workload import check_passes, open_table

if TYPE_CHECKING:
    import pandas as pd

    from fxpsim.records.workload import TableLike

COUNTERS = ("sums", "products", "overflowed", "flushed", "inexact")


def as_accumulations(table: "TableLike", *, where: str = "") -> "pd.DataFrame":
    """Return a validated accumulation table (``ACCUMULATION_COLUMNS``).

    Raises
    ------
    UserError
        With file, row and column: for a value out of range, an unknown pass, and for more flushed products than
        inexact ones, or more inexact ones than products.

    Examples
    --------
    >>> row = {"step_begin": 0, "step_end": 5, "layer": "fc", "pass": "forward", "sums": 6, "products": 60}
    >>> as_accumulations([{**row, "overflowed": 2, "flushed": 1, "inexact": 7}])["overflowed"].tolist()
    [2]
    """
    frame, where = open_table(table, where or "accumulations")
    frame = canonical(frame, ACCUMULATION_COLUMNS, where=where)
    check_passes(frame, where, PASSES[:3])
    for part, whole in (("flushed", "inexact"), ("inexact", "products")):
        too_many = (frame[part] > frame[whole]).to_numpy()
        if too_many.any():
            row = int(np.argmax(too_many))
            fail_row(
                where,
                row,
                part,
                what=f"{part} is {frame[part][row]} of {frame[whole][row]} {whole}",
                expected=f"{part} at most {whole}",
                remedy="correct one of the two",
            )
    frame.attrs["where"] = where
    return frame


class AccumulationRecorder:
    """Adds up the counters of the GEMMs of each layer and pass, step by step, until ``cut``.

    Examples
    --------
    >>> recorder = AccumulationRecorder()
    >>> for step in range(3):
    ...     recorder.record(step, "fc", "forward", (10, 80, 1, 0, 4))
    >>> recorder.cut(3)
    >>> row = recorder.rows()[0]
    >>> row["step_end"], row["sums"], row["overflowed"], row["inexact"]
    (3, 30, 3, 12)
    """

    def __init__(self) -> None:
        self._closed: list[dict[str, Any]] = []
        self._open: dict[tuple[str, str], list[int]] = {}

    def record(self, step: int, layer: str, pass_: str, counts: tuple[int, int, int, int, int]) -> None:
        """Enter one GEMM.

        Parameters
        ----------
        step : int
            The step, not below an earlier one.
        layer, pass_ : str
            Whose GEMM it is.
        counts : tuple of int
            Results, products, visits to the overflow logic with a sum out of range, products that became zero, and
            products that their rounding changed.
        """
        entry = self._open.get((layer, pass_))
        if entry is None:
            self._open[layer, pass_] = [step, step + 1, *counts]
            return
        entry[1] = step + 1
        for place, count in enumerate(counts, start=2):
            entry[place] += count

    def cut(self, step: int) -> None:
        """End every open interval before ``step`` (at the end of an epoch)."""
        for entry in self._open.values():
            entry[1] = step
        self._closed, self._open = self.rows(), {}

    def rows(self) -> list[dict[str, Any]]:
        """Return the table's rows, those of open intervals up to the last recorded step."""
        names = ("step_begin", "step_end", *COUNTERS)
        found = ({"layer": key[0], "pass": key[1], **dict(zip(names, e, strict=True))} for key, e in self._open.items())
        return [*self._closed, *found]

    def state(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold, for a checkpoint."""
        return {
            "closed": [dict(row) for row in self._closed],
            "open": [[*key, *entry] for key, entry in self._open.items()],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "AccumulationRecorder":
        """Return the recorder that a checkpoint's state describes.

        >>> recorder = AccumulationRecorder()
        >>> recorder.record(0, "fc", "forward", (10, 80, 1, 0, 4))
        >>> AccumulationRecorder.from_state(recorder.state()).rows() == recorder.rows()
        True
        """
        recorder = cls()
        recorder._closed = [dict(row) for row in state["closed"]]
        recorder._open = {(layer, pass_): list(entry) for layer, pass_, *entry in state["open"]}
        return recorder
