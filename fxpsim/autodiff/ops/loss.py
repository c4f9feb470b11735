"""Losses. They end the forward pass: value and gradient are computed together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.autodiff.backward import backward
from fxpsim.autodiff.ops.elementwise import scale
from fxpsim.autodiff.tensor import Tensor


@dataclass(frozen=True)
class Loss:
    """What a loss returns.

    Parameters
    ----------
    total : float or Fraction
        Sum over the samples, in nats; exact where the unit is fixed point.
    samples, correct : int
        Samples, and how many of them the network got right.
    logits, grad : Tensor
        Where to start the backward pass, and with what.
    """

    total: Any
    samples: int
    correct: int
    logits: Tensor
    grad: Tensor

    def backward(self) -> dict[int, Tensor]:
        """Return the gradients of the mean loss with respect to all leaves, by ``id``."""
        return backward(self.logits, self.grad)


def softmax_cross_entropy(logits: Tensor, labels: np.ndarray) -> Loss:
    r"""Mean over the rows of :math:`-\ln \mathrm{softmax}(x)_{label}`, gradient ``(softmax - one_hot) / rows``.

    Parameters
    ----------
    logits : Tensor, shape (rows, classes)
        A vector value.
    labels : ndarray of int, shape (rows,)
        Right class of each row.
    """
    engine = logits.engine
    rows = logits.shape[0]
    total, gradient, correct = engine.vector.softmax_cross_entropy(logits.value, labels)
    if engine.counter is not None:
        size = math.prod(logits.shape)
        # subtract the maximum, exponential, sum, divide, subtract the target
        engine.counter.vector("loss", engine.pass_, "softmax_cross_entropy", size, size, 5 * size)
    with engine.at(layer="loss", pass_="input_grad"):
        grad = scale(Tensor(engine, gradient), factor=Fraction(1, rows))
    return Loss(total, rows, correct, logits, grad)
