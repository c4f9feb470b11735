"""Workload and history joined for the published metrics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fxpsim.accelerator import Metadata
from fxpsim.cost.plan import gemms_of
from fxpsim.cost.states import StreamStates, states_of
from fxpsim.cost.timeline import Settings, Timeline, timeline_of
from fxpsim.records import as_history, as_workload

if TYPE_CHECKING:
    from fxpsim.records.workload import TableLike


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One published metric: its value, unit, and what exactly is counted."""

    name: str
    value: float
    unit: str
    convention: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """Workload and history, joined for metrics; zero shares are kept."""

    macs: Mapping[str, int]
    timeline: Timeline
    trained: bool

    @property
    def steps(self) -> int:
        """Steps of the history."""
        return self.timeline.step_end - self.timeline.step_begin

    def layers(self, *streams: tuple[str, str]) -> Iterator[tuple[int, Settings]]:
        """Yield the forward MACs and the joined settings of (stream, pass) pairs of every layer."""
        for layer, macs in self.macs.items():
            found = {
                f"{stream}@{of_pass}": self.timeline.require(layer, stream, of_pass) for stream, of_pass in streams
            }
            yield macs, self.timeline.settings(found)

    def last(self, layer: str, stream: str) -> StreamStates:
        """Return the state of a stream at the last step."""
        return self.timeline.states.take(self.timeline.require(layer, stream, "forward").state[-1:])


def record(workload: "TableLike", history: "TableLike", *, metadata: Metadata | None = None) -> Record:
    """Join a workload and a history for the metrics below."""
    bits = as_history(history)
    states, number = states_of(bits, metadata, keep_zeros=True)
    work = gemms_of(as_workload(workload))
    macs = {
        layer: sum(gemm.macs for gemm in entry.gemms)
        for (layer, of_pass), entry in work.items()
        if of_pass == "forward"
    }
    trained = any(of_pass == "weight_grad" for _, of_pass in work)
    return Record(macs=macs, timeline=timeline_of(bits, states, number, "history"), trained=trained)
