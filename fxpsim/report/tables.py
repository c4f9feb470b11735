"""Tables of the page: columns with units, cells as text, a bar where a column asks for one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxpsim.report.bits import SHARES, StreamHistory
from fxpsim.report.numbers import count, percent
from fxpsim.report.strips import share_strip


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its title, unit, and how a value of it is written."""

    title: str
    unit: str = ""
    write: Callable[[Any], Any] = lambda value: value  # markup passes as it is
    wide: bool = False  # sentences: keep enough width to read them
    text: bool = False  # left-aligned words instead of right-aligned numbers
    bar: bool = False  # draw the value as a share of the largest of the column


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in a cell, and the length of its bar in percent."""

    content: Any
    bar: float | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table ready to be written."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    total: bool = False  # whether the last row is a sum


def table(columns: Sequence[Column], rows: Sequence[Sequence[Any]], *, caption: str = "", total: bool = False) -> Table:
    """Write ``rows`` of values as cells.

    >>> columns = [Column(title="layer", text=True), Column(title="energy", write=str, bar=True)]
    >>> made = table(columns, [["a", 1], ["b", 4]])
    >>> [[cell.content for cell in row] for row in made.rows], made.rows[0][1].bar
    ([['a', '1'], ['b', '4']], 25.0)
    """
    parts = rows[:-1] if total else rows  # a sum would dwarf all bars
    largest = [_largest([row[place] for row in parts]) if column.bar else 0.0 for place, column in enumerate(columns)]
    cells = []
    for number, row in enumerate(rows):
        with_bar = number < len(parts)
        cells.append(
            tuple(
                Cell(
                    content="–" if value is None else column.write(value),
                    bar=100 * value / top if column.bar and with_bar and top and value is not None else None,
                )
                for column, value, top in zip(columns, row, largest, strict=True)
            )
        )
    return Table(columns=tuple(columns), rows=tuple(cells), caption=caption, total=total)


def saturation_table(histories: Sequence[StreamHistory], steps: int) -> Table | None:
    """Return how much of each stream saturated or became zero; None where nothing was counted."""
    columns = [
        Column(title="layer", text=True),
        Column(title="stream", text=True),
        Column(title="saturated", unit="mean", write=percent_fine),
        Column(title="", unit="worst", write=percent_fine),
        Column(title="", unit="over time", text=True),
        Column(title="underflow", unit="mean", write=percent_fine),
        Column(title="", unit="worst", write=percent_fine),
        Column(title="", unit="over time", text=True),
        Column(title="non-zero", unit="mean", write=percent),
    ]
    with_error = any(not np.isnan(one.shares["relative_error"]).all() for one in histories)
    if with_error:
        columns.append(Column(title="error", unit="of the norm, mean", write=percent_fine))
    rows = []
    for one in histories:
        saturated, underflow, nonzero, error = (one.shares[name] for name in SHARES)
        if one.is_float.all() or all(math.isnan(one.mean(values)) for values in (saturated, underflow)):
            continue
        rows.append(
            [
                one.layer,
                one.stream,
                one.mean(saturated),
                one.worst(saturated),
                share_strip(one, "saturated_share", steps),
                one.mean(underflow),
                one.worst(underflow),
                share_strip(one, "underflow_share", steps),
                one.mean(nonzero),
                *([one.mean(error)] if with_error else []),
            ]
        )
    return table(columns, rows) if rows else None


def accumulation_table(accumulations: Any) -> Table | None:
    """Return the layers and passes whose accumulators overflowed or whose products their rounding changed."""
    if accumulations is None:
        return None
    columns = [
        Column(title="layer", text=True),
        Column(title="pass", text=True),
        Column(title="sums", unit="of the run", write=count),
        Column(title="products", unit="per sum", write=count),
        Column(title="overflows", unit="of the run", write=count),
        Column(title="", unit="per 1000 sums", write=lambda value: f"{value:.3g}"),
        Column(title="flushed", unit="of the products", write=percent_fine),
        Column(title="inexact", unit="of the products", write=percent_fine),
    ]
    totals: dict[tuple[str, str], np.ndarray] = {}
    names = ("sums", "products", "overflowed", "flushed", "inexact")
    for layer, pass_, *counts in zip(*(accumulations[name] for name in ("layer", "pass", *names)), strict=True):
        key = str(layer), str(pass_)
        totals[key] = totals.get(key, np.zeros(len(names), np.int64)) + np.array(counts, np.int64)
    rows = [
        [layer, pass_, sums, products / sums, overflowed, 1000 * overflowed / sums, flushed, inexact]
        for (layer, pass_), (sums, products, overflowed, *lost) in totals.items()
        if overflowed or any(lost)
        for flushed, inexact in [[number / products for number in lost]]
    ]
    return table(columns, rows) if rows else None


def workload_table(workload: Any) -> Table:
    """Return the GEMMs of one step."""
    columns = [
        Column(title="layer", text=True),
        Column(title="pass", text=True),
        Column(title="op", text=True),
        *(Column(title=name, write=count) for name in ("m", "k", "n")),
        Column(title="MACs", unit="per step", write=count, bar=True),
    ]
    rows = [
        [layer, pass_, op, m, k, n, int(m) * int(k) * int(n) * int(times)]
        for layer, pass_, op, m, k, n, times in zip(
            *(workload[name] for name in ("layer", "pass", "op", "m", "k", "n", "count")), strict=True
        )
    ]
    return table(columns, rows)


def percent_fine(share: float) -> str:
    """Return a small share with two places."""
    return percent(share, 2)


def _largest(values: Sequence[Any]) -> float:
    return max((float(value) for value in values if value is not None), default=0.0)
