"""Quantizers: how a stream's tensor becomes codes. One file each, found by name."""

from fxpsim.quantizers.fixed_point import FixedPoint
from fxpsim.quantizers.registry import build, quantizers

__all__ = ["FixedPoint", "build", "quantizers"]
