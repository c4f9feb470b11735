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
        The kind of quantizer that is wanted: ``quantizers`` for a stream of a training run (a tensor quantizer with its
        ``word_bits`` becomes a :class:`~fxpsim.quantizers.stream.CodedStream`), or ``tensor_quantizers`` as they are.

    Examples
    --------
    >>> build({"quantizer": "fixed_point", "word_bits": 8}, where="streams.weight").word_bits
    8
    >>> build({"quantizer": "statquant_psq", "word_bits": 5}, where="streams.error").method
    StatQuantPSQ(rounding=<Rounding.STOCHASTIC: 'stochastic'>, epsilon=0.0, axis=0)
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
    if among is tensor_quantizers and name in list(quantizers):
        raise UserError(
            f"{name!r} is a quantizer, where a tensor quantizer is wanted",
            where=where,
            expected="one of: none, " + ", ".join(among),
            remedy="name a tensor quantizer",
        )
    if among is quantizers and name in list(tensor_quantizers):
        return _stream(table, where)
    if name not in list(among):
        everything = [*among, *tensor_quantizers] if among is quantizers else list(among)
        raise unknown("quantizer", str(name), ["none", *everything], where=where)
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


def _stream(table: Mapping[str, Any], where: str) -> Any:
    """Return a tensor quantizer with its word length, as a stream's quantizer."""
    from fxpsim.quantizers.stream import CodedStream  # it knows the quantizers, which know this registry

    parameters = dict(table)
    if "word_bits" not in parameters:
        raise UserError(
            f"quantizer {table['quantizer']!r} has no word length",
            where=where,
            expected="word_bits beside the quantizer's own keys",
            remedy="add word_bits = 8",
        )
    word_bits = parameters.pop("word_bits")
    method = build(parameters, where=where, among=tensor_quantizers)
    try:
        return CodedStream(method=method, word_bits=word_bits)
    except UserError as error:
        raise UserError(error.what, where=f"{where} ({error.where})", expected=error.expected) from None
