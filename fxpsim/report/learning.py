"""Figures of how the training went: loss, accuracy, mean bits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxpsim.report.bits import StreamHistory, mean_bits_over_time
from fxpsim.report.figures import SERIES, Figure, Line, lines
from fxpsim.report.rundir import Run

_BINS = 150  # points of a line


def learning_figures(run: Run) -> list[Figure]:
    """Return loss and accuracy over the epochs of a run."""
    figures = []
    for key, title in (("loss", "Loss"), ("accuracy", "Accuracy")):
        series = [
            _line(run.training, key, label="training batches", color=SERIES[1], faint=True),
            _line(run.evaluations, f"test_{key}", label="test split"),
        ]
        caption = f"{title} of single training batches, and of the whole held-out split."
        figures.append(_drawn(series, title=title, caption=caption, percent=key == "accuracy"))
    return [figure for figure in figures if figure.legend]


def bits_figure(histories: Sequence[StreamHistory], steps: int) -> Figure | None:
    """Return the mean word length of the streams that change, over the steps; None where none does."""
    edges = np.unique(np.linspace(0, steps, min(steps, _BINS) + 1).round())
    means = {
        stream: values
        for stream, values in mean_bits_over_time(histories, edges).items()
        if np.unique(values[~np.isnan(values)]).size > 1
    }
    if not means:
        return None
    series = [
        Line(label=stream, x=edges[:-1].tolist(), y=values.tolist(), **series_style(place))
        for place, (stream, values) in enumerate(means.items())
    ]
    caption = "Of the streams that change; over all layers, weighted by elements. float32 counts as 32 bits."
    return lines(series, title="Mean word bits of each stream", caption=caption, x_label="step")


def comparison_figures(runs: Sequence[Run]) -> list[Figure]:
    """Return test accuracy and test loss of several runs over the epochs."""
    figures = []
    for key, title in (("test_accuracy", "Test accuracy"), ("test_loss", "Test loss")):
        series = [_line(run.evaluations, key, label=run.name, **series_style(place)) for place, run in enumerate(runs)]
        caption = f"{title} on the whole held-out split."
        figures.append(_drawn(series, title=title, caption=caption, percent=key == "test_accuracy"))
    return [figure for figure in figures if figure.legend]


def series_style(place: int) -> dict[str, Any]:
    """Return color and dash of the series at ``place``: dashed once the colors are used up."""
    return {"color": SERIES[place % len(SERIES)], "dashed": place >= len(SERIES)}


def _line(entries: Sequence[dict[str, Any]], key: str, **style: Any) -> Line:
    """Return one key over the epochs, of the entries that have it."""
    known = [entry for entry in entries if key in entry]
    return Line(x=[entry["epoch"] for entry in known], y=[entry[key] for entry in known], **style)


def _drawn(series: Sequence[Line], *, title: str, caption: str, percent: bool = False) -> Figure:
    shown = [line for line in series if line.x]
    return lines(shown, title=title, caption=caption, x_label="epoch", percent=percent)
