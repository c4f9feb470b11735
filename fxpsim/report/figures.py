"""Line figures as inline SVG whose colors are those of the page, in light and in dark."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from fxpsim.report.numbers import scaled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# color that matplotlib draws with -> variable of the page's style that replaces it
_INK, _MUTED, _GRID = "#1b1c1e", "#70757a", "#e3e5e8"
SERIES = ("#2f6fdb", "#d9822b", "#2a9d78", "#8e5bd0", "#c2456b", "#6b7f2a", "#3a8fb0", "#8a6d5a")
_VARIABLES = {_INK: "--ink", _MUTED: "--muted", _GRID: "--line"} | {
    color: f"--series-{number}" for number, color in enumerate(SERIES, start=1)
}
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: the page's font, selectable, small
    "svg.hashsalt": "fxpsim",  # same run, same file
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "ytick.left": False,
    "legend.frameon": False,
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One series of a figure."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    color: str = SERIES[0]
    faint: bool = False  # background of another series: thin, no markers
    dashed: bool = False
    stairs: bool = False  # a value holds until the next point
    marks: Sequence[int] | None = None  # points with a marker; where None, all of them if they are few


@dataclass(frozen=True, kw_only=True)
class Point:
    """One labeled point of a scatter figure, with a horizontal range."""

    label: str
    x: float
    y: float
    x_range: tuple[float, float]
    color: str = SERIES[0]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """An SVG with its caption."""

    title: str
    caption: str
    svg: Markup
    legend: tuple[tuple[str, str], ...] = field(default=())  # (variable of the style, label)


def lines(
    series: Sequence[Line], *, title: str, caption: str, x_label: str, percent: bool = False, log: bool = False
) -> Figure:
    """Draw lines over a common axis."""

    def draw(axes: "Axes") -> None:
        for line in series:
            few = len(line.x) <= 40 and not line.faint
            marked = few if line.marks is None else bool(line.marks)
            axes.plot(
                line.x,
                line.y,
                color=line.color,
                linewidth=1 if line.faint else 1.8,
                alpha=0.35 if line.faint else 1,
                linestyle="--" if line.dashed else "-",
                marker="o" if marked else None,
                markevery=list(line.marks) if line.marks else None,
                markersize=3.5,
                drawstyle="steps-post" if line.stairs else "default",
            )
        axes.set_xlabel(x_label)
        if log:
            axes.set_yscale("log")
        if percent:
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")

    return _figure(draw, title=title, caption=caption, legend={line.label: line.color for line in series})


def scatter(points: Sequence[Point], *, title: str, caption: str, x_label: str, unit: str) -> Figure:
    """Draw labeled points: a share upwards over a quantity with its range, on a logarithmic axis."""
    from matplotlib.ticker import LogLocator, NullLocator

    def draw(axes: "Axes") -> None:
        for point in points:
            axes.plot(point.x_range, [point.y, point.y], color=point.color, linewidth=3, alpha=0.3)
            axes.plot([point.x], [point.y], color=point.color, marker="o", markersize=6)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: scaled(value, unit))
        axes.set_xlabel(x_label)
        axes.margins(x=0.1, y=0.2)
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")

    return _figure(draw, title=title, caption=caption, legend={point.label: point.color for point in points})


def _figure(draw: Any, *, title: str, caption: str, legend: Mapping[str, str]) -> Figure:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    with mpl.rc_context(_STYLE):
        canvas = Canvas(figsize=(4.6, 2.6), layout="constrained")
        axes = canvas.add_subplot()
        draw(axes)
        svg = io.StringIO()
        canvas.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
    return Figure(
        title=title,
        caption=caption,
        svg=_themed(svg.getvalue(), title),
        legend=tuple((_VARIABLES[color], label) for label, color in legend.items()),
    )


def _themed(svg: str, label: str) -> Markup:
    """Return the bare SVG element with the page's colors instead of fixed ones."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[a-zA-Z0-9]+_\d+"', "", svg)  # numbered groups: the next figure would repeat them
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return Markup(svg)
