"""The rule for the task of a data set."""

from __future__ import annotations

from fxpsim.data import Dataset, Task
from fxpsim.errors import UserError
from fxpsim.nn import Module
from fxpsim.train.tasks.base import TaskRule
from fxpsim.train.tasks.detection import Detection
from fxpsim.train.tasks.method_losses import Niti, Squares
from fxpsim.train.tasks.regression import Regression
from fxpsim.train.tasks.segmentation import Segmentation
from fxpsim.train.tasks.tokens import NextToken, Translation


def task_rule(dataset: Dataset, network: Module, *, loss: str = "task") -> TaskRule:
    """Return the loss and the metrics that a data set's task asks for; ``loss`` names that of a method instead.

    Raises
    ------
    UserError
        If the network cannot learn the task, or the method's loss is not one of it.
    """
    if loss != "task":
        if dataset.task is not Task.CLASSIFICATION:
            raise UserError(
                f"training.loss is {loss!r}, the task is {dataset.task}",
                where="method",
                expected="classification: the losses of methods are those of classifiers",
                remedy="set method.training.loss=task",
            )
        return {"niti": Niti, "squares": Squares}[loss](dataset, network)
    match dataset.task:
        case Task.CLASSIFICATION:
            kind = TaskRule
        case Task.NEXT_TOKEN:
            kind = NextToken
        case Task.TRANSLATION:
            kind = Translation
        case Task.SEGMENTATION:
            kind = Segmentation
        case Task.DETECTION:
            kind = Detection
        case Task.REGRESSION:
            kind = Regression
    return kind(dataset, network)
