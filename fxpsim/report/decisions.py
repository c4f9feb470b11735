"""What a policy decided and from which quantities: bits of single layers over the steps, and what drove them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxpsim.report.bits import StreamHistory
from fxpsim.report.figures import SERIES, Figure, Line, lines
from fxpsim.report.numbers import count, significant
from fxpsim.report.rundir import Run
from fxpsim.report.tables import Column, Table, table

_LAYERS = len(SERIES)  # lines of a figure; more could not be told apart
_POINTS = 300  # of a line
# quantity -> title and meaning; others are shown under their own names
_TITLES = {
    "kl": ("Distance of the weights' histograms", "What PushDown found at the format that it chose."),
    "pushed_down_word_bits": ("Word bits after PushDown", "Before PushUp adds its own."),
    "pushed_down_frac_bits": ("Fraction bits after PushDown", "Before PushUp adds its own."),
    "diversity": ("Diversity of the gradients", "1 where all gradients of the window agree; what PushUp reads."),
    "added_frac_bits": ("Fraction bits that PushUp adds", "By diversity and strategy."),
    "lookback": ("Length of the window", "In steps."),
    "resolution": ("Resolution", "Bins of the histograms."),
    "diff": ("Error of quantization, Diff", "Above the threshold the word grows."),
    "interval": ("Steps to the next update", "By the drift of the range and by Diff."),
    "exponent": ("Exponent of the step", "Of two; the range follows it."),
}

Series = dict[tuple[str, str, str], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """The section of a page: figures of bits, figures of what drove them, the table, and the network's own events."""

    bits: list[Figure]
    drivers: list[Figure]
    table: Table
    events: Table | None


def decisions_section(run: Run, histories: Sequence[StreamHistory]) -> Decisions | None:
    """Return the section about a run's policy; None where it decided nothing."""
    if not run.decisions:
        return None
    series, events = _series(run.decisions)
    order = list(dict.fromkeys(one.layer for one in histories))
    return Decisions(
        bits=_bits_figures(run, histories),
        drivers=_driver_figures(series, order),
        table=_table(run.decisions, histories),
        events=_events(events),
    )


def marks(decisions: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], np.ndarray]:
    """Return (layer, stream) -> the steps at which something was decided, each once."""
    found: dict[tuple[str, str], dict[int, None]] = {}
    for line in decisions:
        found.setdefault((line["layer"], line["stream"]), {})[line["step"]] = None
    return {key: np.array(list(steps)) for key, steps in found.items()}


def _series(decisions: Sequence[Mapping[str, Any]]) -> tuple[Series, list[Mapping[str, Any]]]:
    """Return (quantity, stream, layer) -> steps and values; and what was said of the network in words."""
    found: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
    events = []
    for line in decisions:
        if ":" in line["quantity"]:
            events.append(line)
        elif line["value"] is not None:
            key = (line["quantity"], line["stream"], line["layer"])
            found.setdefault(key, []).append((line["step"], float(line["value"])))
    series = {}
    for key, points in found.items():
        steps, values = zip(*points, strict=True)
        series[key] = np.array(steps), np.array(values)
    return series, events


def _bits_figures(run: Run, histories: Sequence[StreamHistory]) -> list[Figure]:
    """Return a figure for each stream that changes: word bits of single layers, decisions marked."""
    when = marks(run.decisions)
    # streams that share their formats, as ADEPT's do, share a figure
    alike: dict[tuple[Any, ...], list[str]] = {}
    for stream in dict.fromkeys(one.stream for one in histories):
        alike.setdefault(tuple(_changes(one) for one in histories if one.stream == stream), []).append(stream)
    figures = []
    for streams in alike.values():
        own = [one for one in histories if one.stream == streams[0]]
        if all(np.unique(one.word_bits).size == 1 for one in own):
            continue
        shown = _spread(own)
        drawn = [
            _bits_line(one, [when[one.layer, name] for name in streams if (one.layer, name) in when], place)
            for place, one in enumerate(shown)
        ]
        marked = " Points: a decision changed it." if any(line.marks for line in drawn) else ""
        caption = f"Word bits of {_how_many(len(shown), len(own))}; float32 counts as 32.{marked}"
        figures.append(lines(drawn, title=f"Word bits: {', '.join(streams)}", caption=caption, x_label="step"))
    return figures


def _changes(one: StreamHistory) -> tuple[str, tuple[int, ...], tuple[float, ...]]:
    """Return the layer, the steps at which its word became another, and the words."""
    keep = np.flatnonzero(np.diff(one.word_bits, prepend=-1))
    return one.layer, tuple(one.begin[keep].tolist()), tuple(one.word_bits[keep].tolist())


def _bits_line(one: StreamHistory, when: Sequence[np.ndarray], place: int) -> Line:
    _, x, y = _changes(one)
    # a format decided in a step holds from the next one on, or, where the tensor itself was measured, at once
    decided = {int(step) + late for steps in when for step in steps for late in (0, 1)}
    return Line(
        label=one.layer,
        x=[*x, int(one.end[-1])],
        y=[*y, y[-1]],
        color=SERIES[place],
        stairs=True,
        marks=[place for place, step in enumerate(x) if place and step in decided],
    )


def _driver_figures(series: Series, order: Sequence[str]) -> list[Figure]:
    figures = []
    for quantity, stream in dict.fromkeys((quantity, stream) for quantity, stream, _ in series):
        own = {layer: points for (q, s, layer), points in series.items() if (q, s) == (quantity, stream)}
        shown = _spread(sorted(own, key=lambda layer: order.index(layer) if layer in order else -1))
        drawn = [_driver_line(layer, own[layer], place) for place, layer in enumerate(shown)]
        values = np.concatenate([points[1] for points in own.values()])
        title, meaning = _TITLES.get(quantity, (quantity.replace("_", " "), ""))
        caption = f"{meaning} At every decision, {_how_many(len(shown), len(own))}.".strip()
        wide = bool(values.min() > 0 and values.max() > 100 * values.min())
        title = f"{title}: {stream}" if stream else title
        figures.append(lines(drawn, title=title, caption=caption, x_label="step", log=wide))
    return figures


def _driver_line(layer: str, points: tuple[np.ndarray, np.ndarray], place: int) -> Line:
    steps, values = points
    keep = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _POINTS)).round().astype(int))
    return Line(label=layer or "network", x=steps[keep].tolist(), y=values[keep].tolist(), color=SERIES[place])


def _table(decisions: Sequence[Mapping[str, Any]], histories: Sequence[StreamHistory]) -> Table:
    """Return, for each layer and stream, how often something was decided and changed, and the bits that came of it."""
    columns = [
        Column(title="layer", text=True),
        Column(title="stream", text=True),
        Column(title="decisions", write=count, bar=True),
        Column(title="changes", unit="of the word", write=count),
        *(Column(title="", unit=f"{name} bits", write=significant) for name in ("shortest", "mean", "longest", "last")),
    ]
    when = marks(decisions)
    groups: dict[tuple[Any, ...], list[StreamHistory]] = {}
    for one in histories:
        decided = (one.layer, one.stream) in when
        if decided or len(_changes(one)[1]) > 1:
            groups.setdefault(_changes(one), []).append(one)
    rows = []
    for (layer, changes, _), alike in groups.items():
        bits, one = alike[0].word_bits, alike[0]
        steps = sum(len(when.get((layer, other.stream), ())) for other in alike)
        extent = [float(bits.min()), one.mean(bits), float(bits.max()), float(bits[-1])]
        rows.append([layer, ", ".join(other.stream for other in alike), steps, len(changes) - 1, *extent])
    return table(columns, rows)


def _events(events: Sequence[Mapping[str, Any]]) -> Table | None:
    if not events:
        return None
    columns = [Column(title="step", write=count), Column(title="decision", text=True), Column(title="at a value of")]
    rows = [[line["step"], line["quantity"], significant(float(line["value"]))] for line in events]
    return table(columns, rows, caption="Decisions about the whole network")


def _spread(all_of: Sequence[Any]) -> list[Any]:
    """Return at most as many as a figure can show, evenly from the first to the last."""
    places = np.unique(np.linspace(0, len(all_of) - 1, min(len(all_of), _LAYERS)).round().astype(int))
    return [all_of[place] for place in places]


def _how_many(shown: int, whole: int) -> str:
    return "all layers" if shown == whole else f"{shown} of {whole} layers, from the first to the last"
