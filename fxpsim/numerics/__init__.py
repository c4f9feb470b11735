"""Formats, rounding, overflow, random bits, and the plain-integer specification of the arithmetic."""

from fxpsim.numerics.formats import FixedFormat
from fxpsim.numerics.lfsr import LfsrBits
from fxpsim.numerics.overflow import Flavor, Overflow
from fxpsim.numerics.random import RandomBits
from fxpsim.numerics.rounding import Rounding

__all__ = ["FixedFormat", "Flavor", "LfsrBits", "Overflow", "RandomBits", "Rounding"]
