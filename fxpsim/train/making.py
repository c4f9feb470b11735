"""What a run is made of, from the tables of its files: units, optimizer, schedule."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from fxpsim.accelerator import Accelerator
from fxpsim.autodiff import Engine
from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.registry import Registry, unknown
from fxpsim.train.precision import RunPrecision
from fxpsim.train.recipe import ResolvedRecipe
from fxpsim.units import FixedUnit, FloatUnit, MacArray, UpdateUnit, build_update_unit
from fxpsim.units.float_errors import FloatErrorUnit
from fxpsim.units.islands import IslandUnit, IslandUpdate
from fxpsim.units.shared_exponent import SharedExponentUpdate
from fxpsim.units.update import FloatUpdate


def make_units(resolved: ResolvedRecipe, precision: RunPrecision) -> tuple[Engine, UpdateUnit]:
    """Return the engine with the accelerator's MAC array and vector unit, and its update unit.

    Raises
    ------
    UserError
        If the method asks for floats that the accelerator does not have.
    """
    accelerator, method = resolved.accelerator, resolved.method
    parts = resolved.recipe.training.float32_parts
    if parts and (method.arithmetic == "float32" or accelerator.vector_unit.arithmetic == "float32"):
        raise UserError(
            f"{parts[0]} is in float32 already",
            where="training.float32_parts",
            expected="an accelerator whose vector unit is fixed point, such as int8_all_integer",
            remedy="choose one, or leave training.float32_parts empty",
        )
    if method.arithmetic == "float32":
        return Engine(MacArray(accelerator), FloatUnit(), precision), FloatUpdate()
    unit = accelerator.vector_unit
    if unit.arithmetic == "float32":
        return Engine(MacArray(accelerator), FloatUnit(), precision), _update_unit(accelerator)
    if accelerator.update_unit.arithmetic != "fixed":
        raise UserError(
            "the vector unit is fixed point but the update unit is float32",
            where=f"accelerator {accelerator.name}",
            expected="update_unit.arithmetic = 'fixed' with a fixed-point vector unit",
            remedy="change one of the two",
        )
    if streams := [name for name in precision.float_streams() if name not in parts]:
        raise UserError(
            f"stream {streams[0]!r} is float32, but the vector unit is fixed point",
            where=f"method {method.name} on accelerator {accelerator.name}",
            expected="a quantizer for weight, activation and error",
            remedy="choose a method that quantizes them, or an accelerator with a float32 vector unit",
        )
    if precision.may_become_float:
        raise UserError(
            "the policy ends in float32, but the vector unit is fixed point",
            where=f"method {method.name} on accelerator {accelerator.name}",
            expected="a policy that stays in fixed point",
            remedy="set method.policy.ends_in_float32=false, or choose an accelerator with a float32 vector unit",
        )
    if not parts:
        vector = FixedUnit(unit.word_bits, unit.rounding)
        return Engine(MacArray(accelerator), vector, precision), _update_unit(accelerator)
    island = IslandUnit(unit.word_bits, unit.rounding, parts)
    update = IslandUpdate(island) if "update" in parts else _update_unit(accelerator)
    errors = FloatErrorUnit(island) if "error" in parts else None
    return Engine(MacArray(accelerator), island, precision, error_vector=errors), update


def _update_unit(accelerator: Accelerator) -> UpdateUnit:
    unit = accelerator.update_unit
    if not unit.shared_exponent:
        return build_update_unit(accelerator)
    word = FixedFormat.parse(unit.master_format)
    return SharedExponentUpdate(word.word_bits, word.frac_bits, Rounding(unit.rounding))


def from_table(registry: Registry[Any], table: dict[str, Any], where: str) -> Any:
    """Make an object of a registry from a table with its name and parameters."""
    parameters = dict(table)
    name = parameters.pop("name", None)
    if name is None:
        raise UserError(
            f"no {registry.kind} is named",
            where=where,
            expected="one of: " + ", ".join(registry),
            remedy="add name = ...",
        )
    if name not in list(registry):
        raise unknown(registry.kind, str(name), registry, where=where)
    kind = registry[name]
    known = [field.name for field in fields(kind)]
    for key in parameters:
        if key not in known:
            raise unknown("key", key, ["name", *known], where=where)
    try:
        return kind(**parameters)
    except TypeError as error:
        raise UserError(
            str(error), where=where, expected="the keys " + ", ".join(known), remedy="add the missing key"
        ) from None
