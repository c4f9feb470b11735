"""What is to be learnt decides the loss and what is measured: one rule for each task of a data set."""

from fxpsim.train.tasks.base import Measure, TaskRule
from fxpsim.train.tasks.choice import task_rule

__all__ = ["Measure", "TaskRule", "task_rule"]
