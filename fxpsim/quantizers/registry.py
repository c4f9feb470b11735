"""Quantizers by name, and how a table of a method file becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fxpsim.errors import UserError
from fxpsim.registry import Registry, unknown

quantizers: Registry[type] = Registry("quantizer")


def build(table: Mapping[str, Any], *, where: str) -> Any:
    """Return the quantizer that a table describes; None for ``quantizer = "none"``.

    Parameters
    ----------
    table : mapping
        ``quantizer`` names the kind, the other keys are its parameters.
    where : str
        Name of the table, for errors.

    Examples
    --------
    >>> build({"quantizer": "fixed_point", "word_bits": 8}, where="streams.weight").word_bits
    8
    """
    if "quantizer" not in table:
        raise UserError(
            "no quantizer is named",
            where=where,
            expected="quantizer = one of: none, " + ", ".join(quantizers),
            remedy="add the key 'quantizer'",
        )
    name = table["quantizer"]
    if name == "none":
        return None
    if name not in list(quantizers):
        raise unknown("quantizer", str(name), ["none", *quantizers], where=where)
    kind = quantizers[name]
    known = [field.name for field in fields(kind)]
    for key in table:
        if key != "quantizer" and key not in known:
            raise unknown("key", key, ["quantizer", *known], where=where)
    parameters = {key: value for key, value in table.items() if key != "quantizer"}
    try:
        return kind(**parameters)
    except UserError as error:
        raise UserError(
            error.what, where=f"{where} ({error.where})", expected=error.expected, remedy=error.remedy
        ) from None
    except TypeError as error:
        raise UserError(
            f"quantizer {name!r} cannot be made: {error}",
            where=where,
            expected="the keys " + ", ".join(known),
            remedy="add the missing key",
        ) from None
