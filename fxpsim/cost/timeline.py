"""Joining the streams of a layer in time: the settings that a pass had, and for how many steps each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fxpsim.cost.arrays import Floats, Frame, Ints
from fxpsim.cost.states import StreamStates, combine
from fxpsim.errors import UserError

UPDATED = ("gradient", "master", "momentum")  # streams of layers that have weights


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """The intervals of one stream of one layer, in order: first step, first step after, state."""

    begin: Ints
    end: Ints
    state: Ints


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one pass of one layer ran with: intervals, each with the number of its setting, and states by role."""

    begin: Ints
    end: Ints
    setting: Ints
    steps: Ints
    roles: Mapping[str, StreamStates]

    @property
    def count(self) -> int:
        """Number of distinct settings."""
        return len(self.steps)


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The whole history, by layer and stream; ``step_begin`` to ``step_end`` is its range."""

    step_begin: int
    step_end: int
    streams: Mapping[tuple[str, str], Intervals]
    states: StreamStates
    where: str

    @property
    def products(self) -> frozenset[str]:
        """Layers that multiply two activations (attention): nothing of theirs is updated, and nothing kept.

        Known only where the history mentions the master weights of other layers: a layer that has no gradient
        otherwise is a mistake.
        """
        mastered = {layer for layer, name in self.streams if name.partition("@")[0] == "master"}
        updated = {layer for layer, name in self.streams if name.partition("@")[0] in UPDATED}
        return frozenset({layer for layer, _ in self.streams} - updated) if mastered else frozenset()

    def find(self, layer: str, stream: str, of_pass: str) -> Intervals | None:
        """Return a stream's intervals for a pass: its own (``stream@pass``) or the stream's."""
        return self.streams.get((layer, f"{stream}@{of_pass}")) or self.streams.get((layer, stream))

    def require(self, layer: str, stream: str, of_pass: str) -> Intervals:
        """Return a stream's intervals for a pass; they must cover the whole range."""
        found = self.find(layer, stream, of_pass)
        if found is None:
            known = sorted(name for other, name in self.streams if other == layer)
            raise UserError(
                f"layer {layer!r} has no {stream!r} stream, which its {of_pass} pass reads",
                where=self.where,
                expected=f"{stream!r} or '{stream}@{of_pass}' from step {self.step_begin} to {self.step_end}",
                remedy=f"the layer has: {', '.join(known)}" if known else "the history has no interval of this layer",
            )
        self._check_covered(found, f"layer {layer!r}, stream {stream!r}")
        return found

    def until(self, step: int) -> "Timeline":
        """Return the part before ``step``."""
        cut: dict[tuple[str, str], Intervals] = {}
        for key, intervals in self.streams.items():
            kept = intervals.begin < step
            if kept.any():
                end = np.minimum(intervals.end[kept], step)
                cut[key] = Intervals(begin=intervals.begin[kept], end=end, state=intervals.state[kept])
        return replace(self, step_end=min(step, self.step_end), streams=cut)

    def settings(self, roles: Mapping[str, Intervals | int]) -> Settings:
        """Join streams (or constant states, by number) in time."""
        varying = [intervals for intervals in roles.values() if isinstance(intervals, Intervals)]
        begin, lookups = self._segments(varying)
        columns = dict.fromkeys(roles, np.zeros(len(begin), np.int64))
        for name, value in roles.items():
            if isinstance(value, Intervals):
                columns[name] = value.state[lookups[id(value)]]
            else:
                columns[name] = np.full(len(begin), value, np.int64)
        key = np.zeros(len(begin), np.int64)
        for column in columns.values():
            key = combine(key, column)
        changed = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
        begin, key = begin[changed], key[changed]
        end = np.append(begin[1:], self.step_end)
        _, first, setting = np.unique(key, return_index=True, return_inverse=True)
        steps = np.bincount(setting, weights=(end - begin).astype(np.float64)).astype(np.int64)
        states = {name: self.states.take(column[changed][first]) for name, column in columns.items()}
        return Settings(begin=begin, end=end, setting=np.asarray(setting, np.int64), steps=steps, roles=states)

    def _segments(self, varying: Sequence[Intervals]) -> tuple[Ints, dict[int, Ints]]:
        if not varying:
            return np.array([self.step_begin]), {}
        first = varying[0].begin
        if all(np.array_equal(first, other.begin) for other in varying[1:]):
            begin = first
        else:
            begin = np.unique(np.concatenate([intervals.begin for intervals in varying]))
        found = {id(value): np.searchsorted(value.begin, begin, side="right") - 1 for value in varying}
        return begin, found

    def _check_covered(self, intervals: Intervals, name: str) -> None:
        begin, end = intervals.begin, intervals.end
        gap = np.flatnonzero(begin[1:] != end[:-1])
        if begin[0] != self.step_begin:
            missing = (self.step_begin, int(begin[0]))
        elif gap.size:
            missing = (int(end[gap[0]]), int(begin[gap[0] + 1]))
        elif end[-1] != self.step_end:
            missing = (int(end[-1]), self.step_end)
        else:
            return
        raise UserError(
            f"{name} has no interval for steps {missing[0]} to {missing[1]}",
            where=self.where,
            expected=f"intervals without gaps from step {self.step_begin} to {self.step_end}, the range of the history",
            remedy="add the missing interval (step_end is exclusive)",
        )


def timeline_of(history: Frame, states: StreamStates, number: Ints, where: str) -> Timeline:
    """Return the timeline of a validated history whose rows have these state numbers."""
    begin, end = history["step_begin"].to_numpy(), history["step_end"].to_numpy()
    layers, streams = history["layer"].cat, history["stream"].cat
    key = layers.codes.to_numpy().astype(np.int64) * len(streams.categories) + streams.codes.to_numpy()
    order = np.lexsort((begin, key))
    sorted_key = key[order]
    starts = np.flatnonzero(np.diff(sorted_key, prepend=-1))
    found: dict[tuple[str, str], Intervals] = {}
    for place, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        layer, stream = divmod(int(sorted_key[place]), len(streams.categories))
        rows = order[place:stop]
        found[str(layers.categories[layer]), str(streams.categories[stream])] = Intervals(
            begin=begin[rows], end=end[rows], state=number[rows]
        )
    return Timeline(step_begin=int(begin.min()), step_end=int(end.max()), streams=found, states=states, where=where)


def with_constants(states: StreamStates, word_bits: Sequence[int], is_float: Sequence[bool]) -> StreamStates:
    """Return the states with further ones at the end: streams that the history does not mention."""
    extra = len(word_bits)

    def join(array: Floats | Ints, more: object) -> np.ndarray:
        return np.concatenate([array, np.asarray(more, array.dtype)])

    return StreamStates(
        word_bits=join(states.word_bits, word_bits),
        is_float=np.concatenate([states.is_float, np.asarray(is_float, np.bool_)]),
        nonzero=join(states.nonzero, np.ones(extra)),
        metadata_bits=join(states.metadata_bits, np.zeros(extra)),
        histogram=join(states.histogram, np.full(extra, -1)),
        histograms=states.histograms,
    )
