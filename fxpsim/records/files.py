"""Tables on disk: CSV or Parquet by suffix, written atomically."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fxpsim.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

# rows from which on speed counts
_LARGE = 100_000
TEXT_COLUMNS = ("layer", "pass", "op", "stream", "bits_histogram")


def read_table(path: str | Path) -> "pd.DataFrame":
    """Read a CSV or Parquet table; the suffix says which. Nothing is validated here.

    Raises
    ------
    UserError
        If the file is missing, empty, not readable as its suffix says, or has another suffix.
    """
    import pandas as pd
    import pyarrow as pa

    path = Path(path)
    kind = _kind(path)
    if not path.is_file():
        raise UserError(
            f"no such table: {path.name}", where=str(path), expected="a .csv or .parquet file", remedy="check the path"
        )
    try:
        return pd.read_parquet(path) if kind == "parquet" else _read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError, pa.ArrowException) as error:
        raise UserError(
            f"cannot read the table: {error}",
            where=str(path),
            expected=f"a {kind.upper()} table with a header",
            remedy="write the file again, or correct its suffix",
        ) from error


def write_table(frame: "pd.DataFrame", path: str | Path) -> None:
    """Write a CSV or Parquet table by suffix: a whole new file or, when anything fails, the old one."""
    path = Path(path)
    kind = _kind(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix="." + kind)
    os.close(handle)
    try:
        _write(frame, temporary, kind)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _read_csv(path: Path) -> "pd.DataFrame":
    """Read by Arrow, which is fast; what it does not understand goes to pandas, whose values can then be named."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import csv

    text: Any = dict.fromkeys(TEXT_COLUMNS, pa.dictionary(pa.int32(), pa.string()))
    options = csv.ConvertOptions(column_types=text, null_values=[""], strings_can_be_null=True)
    try:
        return csv.read_csv(path, convert_options=options).to_pandas()
    except pa.ArrowInvalid:
        types: Any = dict.fromkeys(TEXT_COLUMNS, str)
        header = pd.read_csv(path, nrows=0).columns
        types = {name: kind for name, kind in types.items() if name in header}
        return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""], low_memory=False)


def _write(frame: "pd.DataFrame", temporary: str, kind: str) -> None:
    import pyarrow as pa
    from pyarrow import csv

    if kind == "parquet":
        frame.to_parquet(temporary, index=False)
        return
    if len(frame) < _LARGE:
        frame.to_csv(temporary, index=False)
        return
    # Arrow is ten times as fast; it puts every text in quotes.
    plain = {name: frame[name].astype(object) for name in frame.columns if frame[name].dtype.name == "category"}
    table = pa.Table.from_pandas(frame.assign(**plain), preserve_index=False)
    csv.write_csv(table, temporary, csv.WriteOptions(quoting_style="needed"))


def _kind(path: Path) -> str:
    kind = path.suffix.lower().lstrip(".")
    if kind not in ("csv", "parquet"):
        raise UserError(
            f"unknown table suffix {path.suffix!r}",
            where=str(path),
            expected=".csv or .parquet",
            remedy="name the file with one of these suffixes",
        )
    return kind
