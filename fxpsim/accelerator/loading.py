"""Reading accelerator files: every mistake is answered with file, key, expectation and remedy."""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fxpsim.accelerator.problems import user_error
from fxpsim.accelerator.schema import Accelerator
from fxpsim.errors import UserError
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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read the accelerator file: {error}",
            where=str(path),
            expected="a readable UTF-8 text file",
            remedy="check the path and the file's encoding",
        ) from error
    return parse(text, where=str(path))


def parse(text: str, *, where: str = "accelerator") -> Accelerator:
    """Return the accelerator that a TOML text describes; ``where`` names it in errors."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(
            f"not valid TOML: {error}",
            where=where + _line(text, str(error)),
            expected="a TOML file in which no key or table stands twice",
            remedy="mend that line",
        ) from error
    return validate(data, where=where)


def _line(text: str, message: str) -> str:
    found = re.search(r"at line (\d+)", message)
    if not found:
        return ""
    number = int(found[1])
    return f", line {number}: {text.splitlines()[number - 1].strip()}"


def validate(data: dict[str, Any], *, where: str) -> Accelerator:
    """Return the accelerator of a nested dictionary; ``where`` names it in errors."""
    try:
        return Accelerator.model_validate(data)
    except ValidationError as error:
        raise user_error(error, where) from error
