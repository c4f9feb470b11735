"""Data sets by name."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fxpsim.data.dataset import Dataset
from fxpsim.data.files import require_dir
from fxpsim.errors import UserError
from fxpsim.registry import Registry, unknown

# name -> function (data_dir, keyword-only options) -> Dataset
datasets: Registry[Callable[..., Dataset]] = Registry("data set")


def load(
    name: str,
    data_dir: str | Path | None = None,
    *,
    train_limit: int | None = None,
    test_limit: int | None = None,
    **options: Any,
) -> Dataset:
    """Load a data set by name.

    Parameters
    ----------
    name : str
        A name of ``fxpsim.data.datasets``, or ``openml:<name>``.
    data_dir : str or Path, optional
        Directory with the files (or its parent), for the sets that are read from files.
    train_limit, test_limit : int, optional
        Keep only so many samples, for a short run; the normalization stays that of the whole set.
    **options
        Options of that data set: the keyword-only parameters of its loader.

    Returns
    -------
    Dataset
        Training and test split.

    Raises
    ------
    UserError
        If name or option is unknown, or the files are missing or damaged.

    Examples
    --------
    >>> digits = load("digits")
    >>> digits.train
    Split(inputs=uint8(1442, 8, 8, 1), targets=int32(1442,))
    """
    if name.startswith("openml:"):
        name, options = "openml", {"dataset": name.removeprefix("openml:"), **options}
    loader = datasets[name]
    accepted = {p.name: p for p in inspect.signature(loader).parameters.values() if p.kind is p.KEYWORD_ONLY}
    for option in options:
        if option not in accepted:
            raise unknown("option", option, accepted, where=f"data set {name!r}")
    missing = [key for key, p in accepted.items() if p.default is p.empty and key not in options]
    if missing:
        raise UserError(
            f"data set {name!r} needs the option {missing[0]!r}",
            where="data",
            expected=f"options: {', '.join(accepted)}",
            remedy=f"give {missing[0]}=...",
        )
    folder = None if data_dir is None else require_dir(name, Path(data_dir).expanduser())
    return loader(folder, **options).head(
        train=_limit("train_limit", train_limit, name), test=_limit("test_limit", test_limit, name)
    )


def positive(option: str, value: Any, name: str) -> int:
    """Return ``value``, which must be an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(
            f"{option} is {value!r}",
            where=f"data set {name!r}",
            expected="an integer of at least 1",
            remedy=f"give another {option}",
        )
    return value


def _limit(option: str, value: int | None, name: str) -> int | None:
    return None if value is None else positive(option, value, name)
