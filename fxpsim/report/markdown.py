"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Field:
    """A column: its heading, the key of a row that it shows, and how a value is written."""

    title: str
    key: str
    write: Callable[[Any], str] = str
    row: Callable[[Mapping[str, Any]], str] | None = None  # where a cell takes more than one value


def markdown_table(fields: Sequence[Field], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table; columns that no row has a value for are left out.

    >>> print(markdown_table([Field(title="a", key="a"), Field(title="b", key="b")], [{"a": 1}]))
    | a |
    |---|
    | 1 |
    """
    shown = [field for field in fields if any(row.get(field.key) is not None for row in rows)]
    lines = [_line([field.title for field in shown]), "|" + "---|" * len(shown)]
    return "\n".join([*lines, *(_line([_cell(field, row) for field in shown]) for row in rows)])


def _cell(field: Field, row: Mapping[str, Any]) -> str:
    value = row.get(field.key)
    if value is None:
        return "–"
    return field.row(row) if field.row else field.write(value)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
