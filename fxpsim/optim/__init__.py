"""Optimizers and learning-rate schedules."""

from fxpsim.optim.accumulation import GradientSum
from fxpsim.optim.adam import Adam, AdamW
from fxpsim.optim.base import Optimizer, global_scale
from fxpsim.optim.grid import GridSgd, NitiSgd
from fxpsim.optim.madam import Madam
from fxpsim.optim.plateau import Plateau
from fxpsim.optim.registry import optimizers
from fxpsim.optim.schedules import ListeningSchedule, Schedule, schedules
from fxpsim.optim.sgd import IntegerSgd, NormalizedSgd, Sgd

__all__ = [
    "Adam",
    "AdamW",
    "GradientSum",
    "GridSgd",
    "IntegerSgd",
    "ListeningSchedule",
    "Madam",
    "NitiSgd",
    "NormalizedSgd",
    "Optimizer",
    "Plateau",
    "Schedule",
    "Sgd",
    "global_scale",
    "optimizers",
    "schedules",
]
