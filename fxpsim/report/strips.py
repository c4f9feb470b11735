"""Heat maps as rows of thin strips: labels are text of the page, so they read well at any width."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup, escape

from fxpsim.report.bits import StreamHistory
from fxpsim.report.numbers import percent, significant

_FLOAT = "var(--float)"  # float32 has no word of codes: a color beside the scale
_BINS = 200  # a strip has no more cells than this; longer runs show means


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One row of a heat map: a label, the cells as SVG, and what stands at the end of the row."""

    label: str
    cells: Markup
    end: str


@dataclass(frozen=True, kw_only=True)
class BitScale:
    """The colors of word lengths, from the shortest to the longest that occur.

    Parameters
    ----------
    widths : tuple of int
        Word lengths that occur, in order; float32 apart.
    has_float : bool
        Whether some stream is float32 at some time.
    """

    widths: tuple[int, ...]
    has_float: bool

    @classmethod
    def of(cls, histories: Sequence[StreamHistory]) -> "BitScale":
        """Return the scale of all streams that one page shows."""
        widths = {round(float(bits)) for one in histories for bits in np.unique(one.word_bits[~one.is_float])}
        return cls(widths=tuple(sorted(widths)), has_float=any(bool(one.is_float.any()) for one in histories))

    def color(self, bits: float) -> str:
        """Return the color of a word length: equal steps per doubling."""
        low, high = max(self.widths[0], 1), max(self.widths[-1], 1)
        place = np.log2(max(bits, 1) / low) / np.log2(high / low) if high > low else 0.5
        return _ink(0.15 + 0.85 * float(place))

    def legend(self) -> list[tuple[str, str]]:
        """Return (color, label) of the word lengths (at most eight of them), and of float32."""
        places = np.linspace(0, len(self.widths) - 1, min(len(self.widths), 8)).round().astype(int)
        entries = [(self.color(self.widths[place]), f"{self.widths[place]} bit") for place in places]
        return entries + ([(_FLOAT, "float32")] if self.has_float else [])


def bit_panels(
    histories: Iterable[StreamHistory],
    steps: int,
    scale: BitScale,
    marks: Mapping[tuple[str, str], np.ndarray] | None = None,
) -> dict[str, list[Strip]]:
    """Return a panel for each stream, with a strip of word lengths for each layer.

    ``marks`` are steps of a (layer, stream) that get a tick at the strip's foot: the policy's decisions.
    """
    marks = marks or {}
    panels: dict[str, list[Strip]] = {}
    for one in histories:
        ticks = _ticks(marks.get((one.layer, one.stream)), steps)
        cells = _cells(one, one.word_bits, steps, color=scale.color, say=_say_bits, over=ticks)
        last = "float32" if one.is_float[-1] else _say_bits(one.word_bits[-1])
        panels.setdefault(one.stream, []).append(Strip(label=one.layer, cells=cells, end=last))
    return panels


def share_strip(one: StreamHistory, share: str, steps: int) -> Markup:
    """Return the strip of a share over time."""
    return _cells(one, one.shares[share], steps, color=_share_color, say=_say_share)


def _share_color(share: float) -> str:
    """Return the ink of a share: none for 0, then from 1e-5 to 1 in equal steps per factor of ten."""
    # a mean over a bin is a difference of sums: that of zeros may come out a rounding below 0
    return "none" if share <= 0 else _ink(min(max((np.log10(share) + 5) / 5, 0), 1))


def _ink(strength: float) -> str:
    return f"color-mix(in oklab, var(--heat-high) {100 * strength:.0f}%, var(--heat-low))"


def _say_bits(bits: float) -> str:
    return f"{significant(bits)} bit"


def _say_share(share: float) -> str:
    return percent(share, 2)


def _cells(
    one: StreamHistory,
    values: np.ndarray,
    steps: int,
    *,
    color: Callable[[float], str],
    say: Callable[[float], str],
    over: str = "",
) -> Markup:
    edges = np.unique(np.linspace(0, steps, min(steps, _BINS) + 1).round())
    means = one.binned(values, edges)
    in_float = one.binned(one.is_float.astype(float), edges) > 0.5
    texts = [
        "float32" if is_float else "" if np.isnan(mean) else say(mean)
        for mean, is_float in zip(means, in_float, strict=True)
    ]
    # neighbors that read the same are one cell: a constant stream is a single rectangle
    starts = [0, *(place for place in range(1, len(texts)) if texts[place] != texts[place - 1]), len(texts)]
    cells = [
        f'<rect x="{edges[a]:.0f}" width="{edges[b] - edges[a]:.0f}" height="1"'
        f' style="fill:{_FLOAT if in_float[a] else color(means[a])}">'
        f"<title>{escape(one.layer)} {escape(one.stream)}, steps {edges[a]:.0f} to {edges[b]:.0f}: {texts[a]}</title>"
        "</rect>"
        for a, b in pairwise(starts)
        if texts[a]
    ]
    box = f'<svg class="strip" viewBox="0 0 {steps} 1" preserveAspectRatio="none" shape-rendering="crispEdges">'
    return Markup(box + "".join(cells) + over + "</svg>")


def _ticks(steps_of: np.ndarray | None, steps: int) -> str:
    """Return the ticks of decisions; those that fall into the same cell are one."""
    if steps_of is None:
        return ""
    width = max(steps / _BINS, 1e-9)
    counts = np.bincount(np.minimum(steps_of / width, _BINS - 1).astype(int))
    return "".join(
        f'<rect class="mark" x="{place * width + 0.3 * width:.2f}" width="{0.4 * width:.2f}" y="0.65" height="0.35">'
        f"<title>{counts[place]} decided around step {(place + 0.5) * width:.0f}</title></rect>"
        for place in np.flatnonzero(counts)
    )
