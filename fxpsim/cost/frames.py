"""The only place of the cost model that imports pandas: it comes without types, so frames leave here as ``Any``."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from fxpsim.cost.arrays import Frame


def frame_of(data: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Frame:
    """Return a table of columns, or of rows; columns are not copied."""
    pandas: Any = import_module("pandas")
    return pandas.DataFrame(data, copy=False)


def categories_of(codes: Any, names: Sequence[str]) -> Any:
    """Return a column of repeated texts by their numbers."""
    pandas: Any = import_module("pandas")
    return pandas.Categorical.from_codes(codes, categories=names)
