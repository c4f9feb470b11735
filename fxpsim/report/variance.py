"""What the variance laboratory measured: tables, figures and a page."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def write_variance(folder: Path, rows: Rows, gradients: Rows, about: Mapping[str, Any]) -> list[Path]:
    """Write ``variance.csv``, ``by_bits.csv``, two figures and ``README.md``; return the files.

    Parameters
    ----------
    folder : Path
        Where to.
    rows : sequence of mapping
        Of :func:`fxpsim.train.variance.quantizer_variance`.
    gradients : sequence of mapping
        Of :func:`fxpsim.train.variance.gradient_variance`; may be empty.
    about : mapping
        What was measured: recipe, network, data, method, steps, batch, batches, draws, seed, digest, command.
    """
    folder.mkdir(parents=True, exist_ok=True)
    summary = by_bits(rows)
    tables = {"variance.csv": rows, "by_bits.csv": summary} | ({"gradients.csv": gradients} if gradients else {})
    written = [_table(folder / name, table) for name, table in tables.items()]
    words = sorted({row["word_bits"] for row in rows})
    written.append(variance_figure(rows, folder / "layers.svg", word_bits=words[len(words) // 4]))
    written.append(bits_figure(summary, folder / "bits.svg"))
    page = folder / "README.md"
    page.write_text(_page(summary, gradients, about), encoding="utf-8")
    return [*written, page]


def by_bits(rows: Rows) -> list[dict[str, Any]]:
    """Return the variance of every method and word length over the tensor's power, geometric means over the layers.

    ``per_bit`` is the ratio to the next longer word of the list for every bit between them; 4 for a grid of twice the
    step.

    >>> rows = [
    ...     {"layer": "fc", "method": "PSQ", "word_bits": b, "variance": v, "bound": 2 * v, "power": 1.0}
    ...     for b, v in ((6, 16.0), (8, 1.0))
    ... ]
    >>> six = by_bits(rows)[1]
    >>> six["word_bits"], round(six["variance_share"], 9), round(six["per_bit"], 9)
    (6, 16.0, 4.0)
    """
    found: list[dict[str, Any]] = []
    for method in dict.fromkeys(row["method"] for row in rows):
        before: dict[str, Any] | None = None
        for bits in sorted({row["word_bits"] for row in rows}, reverse=True):
            own = [row for row in rows if row["method"] == method and row["word_bits"] == bits and row["variance"] > 0]
            means = {
                f"{key}_share": math.exp(math.fsum(math.log(row[key] / row["power"]) for row in own) / len(own))
                for key in ("variance", "bound")
            }
            ratio = None
            if before is not None:
                lost = before["word_bits"] - bits
                ratio = (means["variance_share"] / before["variance_share"]) ** (1 / lost)
            before = {"method": method, "word_bits": bits, **means, "per_bit": ratio}
            found.append(before)
    return found


def variance_figure(rows: Rows, path: str | Path, *, word_bits: int) -> Path:
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
    return _saved(figure, path)


def bits_figure(summary: Rows, path: str | Path) -> Path:
    """Draw the rows of :func:`by_bits`: variance over word length, with the bounds and the slope of 4 a bit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.subplots()
    for index, method in enumerate(dict.fromkeys(row["method"] for row in summary)):
        own = [row for row in summary if row["method"] == method]
        bits, color = [row["word_bits"] for row in own], f"C{index}"
        axes.plot(bits, [row["variance_share"] for row in own], "o-", color=color, label=method)
        axes.plot(bits, [row["bound_share"] for row in own], "--", color=color, linewidth=1)
    first = max(summary, key=lambda row: (row["word_bits"], row["variance_share"]))
    words = sorted({row["word_bits"] for row in summary})
    axes.plot(
        words,
        [4 * first["variance_share"] * 4.0 ** (first["word_bits"] - b) for b in words],
        ":",
        color="0.5",
        label="factor 4 a bit",
    )
    axes.set_yscale("log")
    axes.set_xticks(words)
    axes.set_xlabel("word length, bits")
    axes.set_ylabel("variance over power of the error")
    axes.set_title("Quantization variance, mean over layers (dashed: bound)", fontsize=10)
    axes.legend(fontsize=8)
    return _saved(figure, path)


def _saved(figure: Any, path: str | Path) -> Path:
    from matplotlib import rc_context

    target = Path(path)
    with rc_context({"svg.hashsalt": "fxpsim"}):
        figure.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else None)
    return target


def _table(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _shown(value) for key, value in row.items()} for row in rows)
    return path


def _shown(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else value


def _page(summary: Rows, gradients: Rows, about: Mapping[str, Any]) -> str:
    methods = list(dict.fromkeys(row["method"] for row in summary))
    words = list(dict.fromkeys(row["word_bits"] for row in summary))
    cell = {(row["method"], row["word_bits"]): row for row in summary}
    lines = [
        f"# Variance of quantized errors: {about['network']} on {about['data']}",
        "",
        "Variance of each quantizer and its bound, over the tensor's sum of squares, geometric means over the layers. "
        "Tensors are the errors: exact gradients of the loss by each layer's output.",
        "",
        f"Recipe `{about['recipe']}` with method `{about['method']}`, seed {about['seed']}, after {about['steps']} "
        f"steps; batches of {about['batch']} samples: {about['batches']}; draws of every tensor: {about['draws']}.",
        "",
        "| bits | " + " | ".join(f"{m} | bound" for m in methods) + " |",
        "|---" * (1 + 2 * len(methods)) + "|",
    ]
    for bits in words:
        cells = (f"{cell[m, bits]['variance_share']:.3g} | {cell[m, bits]['bound_share']:.3g}" for m in methods)
        lines.append(f"| {bits} | " + " | ".join(cells) + " |")
    lines += ["", "Factor for every bit less:", "", "| bits | " + " | ".join(methods) + " |"]
    lines.append("|---" * (1 + len(methods)) + "|")
    for bits in words[1:]:
        lines.append(f"| {bits} | " + " | ".join(f"{cell[m, bits]['per_bit']:.2f}" for m in methods) + " |")
    lines += ["", "![variance over word length](bits.svg)", "", "![variance by layer](layers.svg)", ""]
    if gradients:
        lines += [
            "`gradients.csv`: variance of every weight gradient over batches, exact and with quantized errors.",
            "",
        ]
    lines += ["```sh", str(about["command"]), "```", ""]
    return "\n".join([*lines, f"Trained state: SHA-256 `{about['digest']}`.", ""])
