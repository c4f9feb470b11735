"""Reading accelerator files: every mistake is answered with file, key, expectation and remedy."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fxpsim import toml
from fxpsim.accelerator.problems import user_error
from fxpsim.accelerator.schema import Accelerator
from fxpsim.shipped import find


def load(name_or_path: str | Path) -> Accelerator:
    """Load an accelerator by shipped name or path.

    Parameters
    ----------
    name_or_path : str or Path
        A shipped name (``int8_systolic_32x32``) or the path of a ``.toml`` file.

    Raises
    ------
    UserError
        If there is no such file, or its text is no valid accelerator.

    Examples
    --------
    >>> load("int8_all_integer").vector_unit.arithmetic
    'fixed'
    """
    path = find("accelerators", str(name_or_path))
    return validate(toml.read(path), where=str(path))


def parse(text: str, *, where: str = "accelerator") -> Accelerator:
    """Return the accelerator that a TOML text describes; ``where`` names it in errors."""
    return validate(toml.parse(text, where=where), where=where)


def validate(data: dict[str, Any], *, where: str) -> Accelerator:
    """Return the accelerator of a nested dictionary; ``where`` names it in errors."""
    try:
        return Accelerator.model_validate(data)
    except ValidationError as error:
        raise user_error(error, where) from error
