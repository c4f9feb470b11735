"""The accelerator file: one description that the simulator executes and the cost model prices.

>>> from fxpsim.accelerator import load
>>> load("int8_systolic_32x32").mac_array.rows
32
"""

from fxpsim.accelerator.energy import Energies, EnergyConstant, MacEnergy, MacLaw
from fxpsim.accelerator.loading import load, parse
from fxpsim.accelerator.mac_array import AccumulatorSpec, Dataflow, MacArray, Mapping
from fxpsim.accelerator.memory import Memory, Metadata, Reuse
from fxpsim.accelerator.overrides import load_changed
from fxpsim.accelerator.rates import FixedRate, FpgaRate, FusedRate, SerialRate, ThroughputRate
from fxpsim.accelerator.schema import Accelerator, Check, Timing
from fxpsim.accelerator.units import UpdateUnit, VectorUnit

__all__ = [
    "Accelerator",
    "AccumulatorSpec",
    "Check",
    "Dataflow",
    "Energies",
    "EnergyConstant",
    "FixedRate",
    "FpgaRate",
    "FusedRate",
    "MacArray",
    "MacEnergy",
    "MacLaw",
    "Mapping",
    "Memory",
    "Metadata",
    "Reuse",
    "SerialRate",
    "ThroughputRate",
    "Timing",
    "UpdateUnit",
    "VectorUnit",
    "load",
    "load_changed",
    "parse",
]
