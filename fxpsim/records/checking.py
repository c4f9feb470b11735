"""Column by column checks of a table: a mistake is answered with file, row and column."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fxpsim.errors import UserError
from fxpsim.records.columns import Column, Kind
from fxpsim.registry import unknown

if TYPE_CHECKING:
    import pandas as pd


def canonical(frame: "pd.DataFrame", columns: Sequence[Column], *, where: str) -> "pd.DataFrame":
    """Return the table with exactly these columns, in order, checked and with canonical types.

    Text becomes a category, integers int64 (Int64 where null is allowed), numbers float64.

    Raises
    ------
    UserError
        For a missing, unknown or doubled column, and for the first value that a column does not allow.
    """
    import pandas as pd

    known = [column.name for column in columns]
    names = [str(name) for name in frame.columns]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"column {name!r} stands twice", where=where, expected="every column once", remedy="remove one"
            )
        if name not in known:
            raise unknown("column", name, known, where=f"{where}, header")
    required = [column.name for column in columns if not column.optional]
    missing = [name for name in required if name not in names]
    if missing:
        raise UserError(
            f"missing column {missing[0]!r}",
            where=f"{where}, header",
            expected="columns " + ", ".join(required),
            remedy="add the column; docs/cost-model.md lists the units",
        )
    if len(frame) == 0:
        raise UserError("the table is empty", where=where, expected="at least one row", remedy="check what wrote it")
    result: dict[str, Any] = {}
    for column in columns:
        if column.name in names:
            result[column.name] = _checked(frame[column.name], column, where)
        elif column.default is not None:
            result[column.name] = np.full(len(frame), column.default)
    return pd.DataFrame(result)


def fail_row(where: str, row: int, column: str, *, what: str, expected: str, remedy: str) -> NoReturn:
    """Raise the error of one cell; ``row`` counts the data rows from 0, a CSV's first one is its line 2."""
    place = f"{where}, row {row} (line {row + 2} of a CSV), column {column}"
    raise UserError(what, where=place, expected=expected, remedy=remedy)


def _checked(values: Any, column: Column, where: str) -> Any:
    null = values.isna().to_numpy()
    if null.any() and not column.nullable:
        fail_row(
            where,
            int(np.argmax(null)),
            column.name,
            what=f"{column.name} is missing",
            expected=_expectation(column),
            remedy="fill it in",
        )
    if column.kind is Kind.TEXT:
        text = values if null.any() or values.dtype.name == "category" else values.astype(str)
        return text.astype("category").reset_index(drop=True)
    return _numbers(values, null, column, where)


def _numbers(values: Any, null: "np.ndarray[Any, Any]", column: Column, where: str) -> Any:
    import pandas as pd

    def fail(bad: "np.ndarray[Any, Any]", remedy: str) -> NoReturn:
        row = int(np.argmax(bad))
        what = f"{column.name} is {values.iloc[row]}"
        fail_row(where, row, column.name, what=what, expected=_expectation(column), remedy=remedy)

    numbers: Any = pd.to_numeric(values, errors="coerce")
    plain = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    unreadable = (np.isnan(plain) & ~null) | np.isinf(plain)
    if unreadable.any():
        fail(unreadable, "write a number")
    if column.kind is Kind.SHARE:
        outside = (plain < 0) | (plain > 1)
        if outside.any():
            fail(outside, "give a share between 0 and 1, not a percentage or a count")
        return plain
    outside = np.zeros(plain.shape, np.bool_)
    if column.least is not None:
        outside |= plain < column.least
    if column.most is not None:
        outside |= plain > column.most
    if outside.any():
        fail(outside, f"give {column.name} in {column.unit}")
    if column.kind is Kind.NUMBER:
        return plain
    broken = ~null & (plain != np.rint(plain))
    if broken.any():
        fail(broken, f"give whole {column.unit}")
    if null.any():
        return pd.arrays.IntegerArray(np.where(null, 0, plain).astype(np.int64), null)
    if column.nullable:
        return pd.array(numbers.to_numpy(dtype=np.int64), dtype="Int64")
    return numbers.to_numpy(dtype=np.int64)


def _expectation(column: Column) -> str:
    if column.kind is Kind.TEXT:
        return f"text: {column.meaning}"
    if column.kind is Kind.SHARE:
        return f"a share from 0 to 1: {column.meaning}"
    low = "" if column.least is None else f", at least {column.least}"
    high = "" if column.most is None else f", at most {column.most}"
    kind = "a whole number" if column.kind is Kind.INTEGER else "a number"
    return f"{kind} of {column.unit}{low}{high}: {column.meaning}"
