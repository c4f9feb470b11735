"""Reading TOML files: a mistake is answered with file and line."""

import re
import tomllib
from pathlib import Path
from typing import Any

from fxpsim.errors import UserError


def read(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises
    ------
    UserError
        If it cannot be read or is no valid TOML (a key that stands twice is none).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"cannot read the file: {error}",
            where=str(path),
            expected="a readable UTF-8 text file",
            remedy="check the path and the file's encoding",
        ) from error
    return parse(text, where=str(path))


def parse(text: str, *, where: str) -> dict[str, Any]:
    """Return the content of a TOML text; ``where`` names it in errors.

    >>> parse("a = 1", where="example")
    {'a': 1}
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(
            f"not valid TOML: {error}",
            where=where + _line(text, str(error)),
            expected="a TOML file in which no key or table stands twice",
            remedy="mend that line",
        ) from error


def value(text: str) -> Any:
    """Return a value written on the command line as TOML reads it; anything else is a string.

    >>> value("64"), value("true"), value("folds")
    (64, True, 'folds')
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _line(text: str, message: str) -> str:
    found = re.search(r"at line (\d+)", message)
    if not found:
        return ""
    number = int(found[1])
    return f", line {number}: {text.splitlines()[number - 1].strip()}"
