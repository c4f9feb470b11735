"""Quantizers by name, and how a table of a method file becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fxpsim.errors import UserError
from fxpsim.registry import Registry, unknown

quantizers: Registry[type] = Registry("quantizer")
"""Format quantizers: they choose a format, the vector unit casts."""

tensor_quantizers: Registry[type] = Registry("tensor quantizer")
"""Tensor quantizers: they return codes and how to read them (:mod:`fxpsim.quantizers.base`)."""


def build(table: Mapping[str, Any], *, where: str, among: Registry[type] = quantizers) -> Any:
    """Return the quantizer that a table describes; None for ``quantizer = "none"``.

    Parameters
    ----------
    table : mapping
        ``quantizer`` names the kind, the other keys are its parameters.
    where : str
        Name of the table, for errors.
    among : Registry
        The kind of quantizer that is wanted: ``quantizers`` (formats) or ``tensor_quantizers``.

    Examples
    --------
    >>> build({"quantizer": "fixed_point", "word_bits": 8}, where="streams.weight").word_bits
    8
    """
    if "quantizer" not in table:
        raise UserError(
            "no quantizer is named",
            where=where,
            expected="quantizer = one of: none, " + ", ".join(among),
            remedy="add the key 'quantizer'",
        )
    name = table["quantizer"]
    if name == "none":
        return None
    other = tensor_quantizers if among is quantizers else quantizers
    if name not in list(among) and name in list(other):
        raise UserError(
            f"{name!r} is a {other.kind}, where a {among.kind} is wanted",
            where=where,
            expected="one of: none, " + ", ".join(among),
            remedy="training runs take format quantizers; tensor quantizers are called from Python"
            if among is quantizers
            else "name a tensor quantizer",
        )
    if name not in list(among):
        raise unknown("quantizer", str(name), ["none", *among], where=where)
    kind = among[name]
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
