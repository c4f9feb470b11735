"""A figure of the variance laboratory: measured variance of quantizers by layer, with the bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def variance_figure(rows: Sequence[Mapping[str, Any]], path: str | Path, *, word_bits: int) -> Path:
    """Draw the rows of :func:`fxpsim.train.variance.quantizer_variance` for one word length into a file.

    Parameters
    ----------
    rows : sequence of mapping
        ``layer``, ``method``, ``word_bits``, ``variance``, ``bound``.
    path : str or Path
        Where to write; the ending says the format (``.svg``, ``.png``).
    word_bits : int
        Which rows.

    Returns
    -------
    Path
        The file.
    """
    from matplotlib.figure import Figure

    shown = [row for row in rows if row["word_bits"] == word_bits]
    layers = list(dict.fromkeys(row["layer"] for row in shown))
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axes = figure.subplots()
    for index, method in enumerate(dict.fromkeys(row["method"] for row in shown)):
        own = {row["layer"]: row for row in shown if row["method"] == method}
        places = [place for place, layer in enumerate(layers) if layer in own]
        color = f"C{index}"
        axes.plot(places, [own[layers[p]]["variance"] for p in places], "o-", color=color, label=method)
        axes.plot(places, [own[layers[p]]["bound"] for p in places], "_", color=color, markersize=12)
    axes.set_yscale("log")
    axes.set_xticks(
        range(len(layers)), layers, rotation=45 if len(layers) > 6 else 0, ha="right" if len(layers) > 6 else "center"
    )
    axes.set_ylabel("variance of the error, squared units")
    axes.set_title(f"Quantization variance at {word_bits} bits (dash: bound)", fontsize=10)
    axes.legend(fontsize=8)
    target = Path(path)
    figure.savefig(target)
    return target
