"""Optimizers and learning-rate schedules."""

from fxpsim.optim.registry import optimizers
from fxpsim.optim.schedules import Schedule, schedules
from fxpsim.optim.sgd import Sgd

__all__ = ["Schedule", "Sgd", "optimizers", "schedules"]
