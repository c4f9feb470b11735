"""Optimizers by name."""

from fxpsim.registry import Registry

optimizers: Registry[type] = Registry("optimizer")
