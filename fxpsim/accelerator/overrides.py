"""Changing values of a loaded accelerator: `--set KEY=VALUE` of the command line, `NAME KEY=VALUE` of a study."""

import re
from typing import Any

from fxpsim import toml
from fxpsim.accelerator.loading import load, validate
from fxpsim.accelerator.problems import known_keys
from fxpsim.accelerator.schema import Accelerator
from fxpsim.errors import UserError
from fxpsim.registry import unknown


def load_changed(text: str) -> Accelerator:
    """Return the accelerator of ``NAME KEY=VALUE ...``, by shipped name or path; changes become part of its name.

    >>> load_changed("dynasty_like mac_array.lockstep_blocks=1").name
    'dynasty_like-lockstep_blocks-1'
    """
    name, *changes = re.split(r"\s+(?=[\w.]+=)", text.strip())
    target = load(name)
    for change in changes:
        key, _, value = change.partition("=")
        own = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{target.name}-{key.rpartition('.')[2]}-{value}")
        target = apply_set(target, key, value).model_copy(update={"name": own})
    return target


def apply_set(accelerator: Accelerator, key: str, value: object) -> Accelerator:
    """Return a copy of ``accelerator`` with the value at the dotted ``key`` replaced."""
    where = f"--set {key}={value}"
    data: dict[str, Any] = accelerator.model_dump(mode="json", exclude_none=True)
    parts = key.split(".")
    table: Any = data
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        allowed = _allowed(accelerator, parts[:depth], table)
        if part not in allowed:
            raise unknown("key", part, allowed, where=where)
        if last:
            table[part] = toml.value(value) if isinstance(value, str) else value
        elif not isinstance(table.get(part), dict):
            raise UserError(
                f"{part!r} is a value, not a table", where=where, expected="a key with a value at its end", remedy=""
            )
        else:
            table = table[part]
    return validate(data, where=where)


def _allowed(accelerator: Accelerator, path: list[str], table: dict[str, Any]) -> list[str]:
    if path == ["memory"]:
        return list(accelerator.memory)
    location = (*path, accelerator.mac_array.rate.law) if path == ["mac_array", "rate"] else tuple(path)
    return known_keys(location) or list(table)
