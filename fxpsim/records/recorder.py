"""Writing the history of a run: cheap calls every step, one row per interval of equal bits."""

from collections.abc import Mapping
from typing import Any

# What an open interval keeps; counts are summed and become shares when it closes.
_BEGIN, _WORD, _FRAC, _ELEMENTS, _NONZERO, _SATURATED, _UNDERFLOW, _NEXT, _HISTOGRAM = range(9)


class HistoryRecorder:
    """Collects the bits and counters of every stream of every layer, step by step.

    An interval ends when word or fraction length change, and at ``cut``. Its shares are averages over its elements.

    Examples
    --------
    >>> recorder = HistoryRecorder()
    >>> for step, bits in enumerate([8, 8, 6]):
    ...     recorder.record(step, "fc", "weight", bits, bits - 1, elements=10, nonzero=9, saturated=1, underflow=0)
    >>> [(row["step_begin"], row["step_end"], row["word_bits"]) for row in recorder.rows()]
    [(0, 2, 8), (2, 3, 6)]
    """

    def __init__(self) -> None:
        self._closed: list[dict[str, Any]] = []
        self._open: dict[tuple[str, str], list[Any]] = {}

    def record(
        self,
        step: int,
        layer: str,
        stream: str,
        word_bits: int,
        frac_bits: int | None,
        elements: int,
        nonzero: int,
        saturated: int,
        underflow: int,
        bits_histogram: Mapping[int, int] | None = None,
    ) -> None:
        """Enter one stream of one layer at one step.

        A stream may have several tensors in a step (of time steps, of micro-batches). The first one's format stands
        for all of them; their elements are counted together.

        Parameters
        ----------
        step : int
            The step, not below an earlier one of the same stream.
        layer, stream : str
            Whose tensor it is; streams are those of the history table.
        word_bits, frac_bits : int
            Its format; ``frac_bits`` None for float32 (``word_bits`` 32).
        elements, nonzero, saturated, underflow : int
            How many elements it has, and how many are not zero, saturated, or became zero.
        bits_histogram : mapping of int to int, optional
            Block-wise formats: elements by word length. A change of it alone does not end the interval.
        """
        key = (layer, stream)
        entry = self._open.get(key)
        again = entry is not None and entry[_NEXT] > step
        if entry is None or not (again or (entry[_WORD] == word_bits and entry[_FRAC] == frac_bits)):
            if entry is not None:
                # Steps without a record kept the bits that they had.
                entry[_NEXT] = step
                self._close(key, entry)
            entry = [step, word_bits, frac_bits, 0, 0, 0, 0, step + 1, None]
            self._open[key] = entry
        entry[_ELEMENTS] += elements
        entry[_NONZERO] += nonzero
        entry[_SATURATED] += saturated
        entry[_UNDERFLOW] += underflow
        entry[_NEXT] = step + 1
        if bits_histogram is not None:
            histogram = entry[_HISTOGRAM] = entry[_HISTOGRAM] or {}
            for bits, count in bits_histogram.items():
                histogram[bits] = histogram.get(bits, 0) + count

    def cut(self, step: int) -> None:
        """End every open interval before ``step`` (at the end of an epoch, or of the run)."""
        for key, entry in list(self._open.items()):
            if entry[_BEGIN] < step:
                entry[_NEXT] = step
                self._close(key, entry)
                del self._open[key]

    def rows(self) -> list[dict[str, Any]]:
        """Return the history's rows, those of open intervals up to the last recorded step."""
        return self._closed + [_row(key, entry) for key, entry in self._open.items()]

    def state(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold, for a checkpoint."""
        return {
            "closed": [dict(row) for row in self._closed],
            "open": [
                [*key, *entry[:_HISTOGRAM], None if entry[_HISTOGRAM] is None else sorted(entry[_HISTOGRAM].items())]
                for key, entry in self._open.items()
            ],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "HistoryRecorder":
        """Return the recorder that a checkpoint's state describes.

        >>> recorder = HistoryRecorder()
        >>> recorder.record(0, "fc", "error", 8, 3, 10, 9, 0, 0)
        >>> HistoryRecorder.from_state(recorder.state()).rows() == recorder.rows()
        True
        """
        recorder = cls()
        recorder._closed = [dict(row) for row in state["closed"]]
        for layer, stream, *entry in state["open"]:
            if entry[_HISTOGRAM] is not None:
                entry[_HISTOGRAM] = {int(bits): int(count) for bits, count in entry[_HISTOGRAM]}
            recorder._open[layer, stream] = list(entry)
        return recorder

    def _close(self, key: tuple[str, str], entry: list[Any]) -> None:
        self._closed.append(_row(key, entry))


def _row(key: tuple[str, str], entry: list[Any]) -> dict[str, Any]:
    elements = entry[_ELEMENTS]
    row: dict[str, Any] = {
        "step_begin": entry[_BEGIN],
        "step_end": entry[_NEXT],
        "layer": key[0],
        "stream": key[1],
        "word_bits": entry[_WORD],
        "frac_bits": entry[_FRAC],
    }
    for name, index in (("nonzero_share", _NONZERO), ("saturated_share", _SATURATED), ("underflow_share", _UNDERFLOW)):
        row[name] = entry[index] / elements if elements else None
    histogram = entry[_HISTOGRAM]
    if histogram:
        total = sum(histogram.values())
        row["bits_histogram"] = ";".join(f"{bits}:{count / total!r}" for bits, count in sorted(histogram.items()))
    return row
