"""History tables: which bits each stream of each layer had, from which step to which step."""

from typing import TYPE_CHECKING

import numpy as np

from fxpsim.errors import UserError
from fxpsim.records.checking import canonical, fail_row
from fxpsim.records.columns import HISTORY_COLUMNS, PASSES, STREAMS
from fxpsim.records.workload import open_table
from fxpsim.registry import unknown

if TYPE_CHECKING:
    import pandas as pd

    from fxpsim.records.workload import TableLike


def as_history(table: "TableLike", *, where: str = "") -> "pd.DataFrame":
    """Return a validated history table (``HISTORY_COLUMNS``).

    Raises
    ------
    UserError
        With file, row and column: for a value out of range, an unknown stream, an interval that ends before it
        begins, and for two intervals of the same layer and stream that overlap.

    Examples
    --------
    >>> row = {"step_begin": 0, "step_end": 5, "layer": "fc", "stream": "weight", "word_bits": 8, "frac_bits": 6}
    >>> shares = {"nonzero_share": 1.0, "saturated_share": 0.0, "underflow_share": 0.0}
    >>> as_history([{**row, **shares}])["word_bits"].tolist()
    [8]
    """
    frame, where = open_table(table, where or "history")
    frame = canonical(frame, HISTORY_COLUMNS, where=where)
    _check_streams(frame, where)
    _check_intervals(frame, where)
    if "bits_histogram" in frame:
        _check_histograms(frame, where)
    frame.attrs["where"] = where
    return frame


def stream_and_pass(stream: str) -> tuple[str, str | None]:
    """Split a stream into its name and the pass that it is for, if one is named.

    >>> stream_and_pass("activation@weight_grad"), stream_and_pass("error")
    (('activation', 'weight_grad'), ('error', None))
    """
    name, _, where = stream.partition("@")
    return name, where or None


def parse_histogram(text: str) -> dict[int, float]:
    """Read a ``bits_histogram``: the share of the elements that have each word length (0: a skipped block).

    >>> parse_histogram("0:0.25;2:0.5;8:0.25")
    {0: 0.25, 2: 0.5, 8: 0.25}
    """
    shares: dict[int, float] = {}
    for part in text.split(";"):
        bits, separator, share = part.partition(":")
        if not separator or int(bits) in shares or not 0 <= int(bits) <= 64 or not 0 <= float(share) <= 1:
            raise ValueError(text)
        shares[int(bits)] = float(share)
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(text)
    return shares


def _check_streams(frame: "pd.DataFrame", where: str) -> None:
    column = frame["stream"]
    for stream in column.cat.categories:
        name, of_pass = stream_and_pass(str(stream))
        if name in STREAMS and (of_pass is None or of_pass in PASSES):
            continue
        row = int(np.argmax((column == stream).to_numpy()))
        place = f"{where}, row {row} (line {row + 2} of a CSV), column stream"
        if name not in STREAMS:
            raise unknown("stream", name, STREAMS, where=place)
        raise unknown("pass", str(of_pass), PASSES, where=place)


def _check_intervals(frame: "pd.DataFrame", where: str) -> None:
    begin, end = frame["step_begin"].to_numpy(), frame["step_end"].to_numpy()
    backwards = end <= begin
    if backwards.any():
        row = int(np.argmax(backwards))
        fail_row(
            where,
            row,
            "step_end",
            what=f"the interval {begin[row]} to {end[row]} has no steps",
            expected="step_end above step_begin: it is the first step after the interval",
            remedy="correct the interval",
        )
    layer, stream = frame["layer"].cat.codes.to_numpy(), frame["stream"].cat.codes.to_numpy()
    order = np.lexsort((begin, stream, layer))
    same = (layer[order][1:] == layer[order][:-1]) & (stream[order][1:] == stream[order][:-1])
    overlap = same & (begin[order][1:] < end[order][:-1])
    if overlap.any():
        place = int(np.argmax(overlap))
        first, second = int(order[place]), int(order[place + 1])
        name = f"layer {frame['layer'][first]!r}, stream {frame['stream'][first]!r}"
        raise UserError(
            f"two intervals of {name} overlap: {begin[first]} to {end[first]} and {begin[second]} to {end[second]}",
            where=f"{where}, rows {first} and {second} (lines {first + 2} and {second + 2} of a CSV)",
            expected="intervals of one layer and stream that share no step (step_end is exclusive)",
            remedy="correct step_begin or step_end of one of them",
        )


def _check_histograms(frame: "pd.DataFrame", where: str) -> None:
    column = frame["bits_histogram"]
    for text in column.cat.categories:
        try:
            parse_histogram(str(text))
        except ValueError:
            row = int(np.argmax((column == text).to_numpy()))
            fail_row(
                where,
                row,
                "bits_histogram",
                what=f"bits_histogram is {text!r}",
                expected="bits:share pairs separated by ';', bits from 0 to 64 once each, shares that sum to 1",
                remedy="write it like 0:0.25;2:0.5;8:0.25",
            )
