"""An accelerator's arithmetic, executed: MAC array, vector unit, update unit."""

from fxpsim.kernels.windows import Window
from fxpsim.units.fixed import FixedUnit
from fxpsim.units.floating import FloatUnit
from fxpsim.units.mac import MacArray
from fxpsim.units.update import AdamStep, GradientRule, Master, SgdStep, UpdateUnit, build_update_unit
from fxpsim.units.values import Accumulated, CastCounts, Operand, Value
from fxpsim.units.vector import VectorUnit

__all__ = [
    "Accumulated",
    "AdamStep",
    "CastCounts",
    "FixedUnit",
    "FloatUnit",
    "GradientRule",
    "MacArray",
    "Master",
    "Operand",
    "SgdStep",
    "UpdateUnit",
    "Value",
    "VectorUnit",
    "Window",
    "build_update_unit",
]
