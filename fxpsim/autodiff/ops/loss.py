"""Losses. They end the forward pass: value and gradient are computed together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.autodiff.backward import backward
from fxpsim.autodiff.ops.elementwise import add, scale, subtract
from fxpsim.autodiff.ops.shape import reshape
from fxpsim.autodiff.tensor import Tensor
from fxpsim.numerics import RandomBits

TARGET_FRAC_BITS = 30


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


def softmax_cross_entropy(logits: Tensor, labels: np.ndarray, *, smoothing: Fraction = Fraction(0)) -> Loss:
    r"""Mean over the rows of :math:`-\sum_k q_k \ln \mathrm{softmax}(x)_k`, gradient ``(softmax - q) / rows``.

    The target :math:`q` is 1 for the label; with ``smoothing`` s it is :math:`(1 - s) [k = label] + s / classes`
    (Szegedy et al. 2016, section 7).

    Parameters
    ----------
    logits : Tensor, shape (..., classes)
        A vector value: one row for each sample, pixel or position.
    labels : ndarray of int, shape (...)
        Right class of each row.
    smoothing : Fraction
        Share of the target that is spread over all classes.
    """
    engine = logits.engine
    classes = logits.shape[-1]
    rows = math.prod(logits.shape[:-1])
    if len(logits.shape) != 2:
        logits = reshape(logits, shape=(rows, classes))
    labels = np.asarray(labels).reshape(-1)
    total, gradient, correct = engine.vector.softmax_cross_entropy(logits.value, labels)
    if engine.counter is not None:
        size = rows * classes
        # subtract the maximum, exponential, sum, divide, subtract the target
        engine.counter.vector("loss", engine.pass_, "softmax_cross_entropy", size, size, 5 * size)
    with engine.at(layer="loss", pass_="input_grad"):
        grad = Tensor(engine, gradient)
        if smoothing:
            grad = add(grad, engine.tensor(_smoothed(labels, classes, smoothing), TARGET_FRAC_BITS))
            excess = engine.vector.label_excess(logits.value, labels)
            total = total + (smoothing if isinstance(excess, Fraction) else float(smoothing)) * excess
        grad = scale(grad, factor=Fraction(1, rows))
    return Loss(total, rows, correct, logits, grad)


def niti_cross_entropy(logits: Tensor, labels: np.ndarray, random: RandomBits) -> Loss:
    """Cross entropy with the gradient of NITI's integer rule (:mod:`fxpsim.kernels.niti_loss`).

    The rule defines a gradient and no loss: ``total`` is that of :func:`softmax_cross_entropy`.

    Parameters
    ----------
    logits : Tensor, shape (rows, classes)
        A vector value.
    labels : ndarray of int, shape (rows,)
        Right class of each row.
    random : RandomBits
        For the stochastic rounding of the gradient.
    """
    engine = logits.engine
    rows, classes = logits.shape
    measured = softmax_cross_entropy(logits, labels)
    words = random.words(rows * classes).reshape(rows, classes)
    with engine.at(layer="loss", pass_="input_grad"):
        grad = Tensor(engine, engine.vector.niti_cross_entropy(logits.value, np.asarray(labels), words))
        grad = scale(grad, factor=Fraction(1, rows))
    return replace(measured, grad=grad)


def one_hot_squares(output: Tensor, labels: np.ndarray) -> Loss:
    """Mean squared error from one-hot targets, WAGE's loss: gradient ``2 (output - one_hot) / elements``.

    Parameters
    ----------
    output : Tensor, shape (rows, classes)
        A vector value.
    labels : ndarray of int, shape (rows,)
        Right class of each row.
    """
    engine = output.engine
    target = np.eye(output.shape[1], dtype=np.int32)[labels]
    loss = mean_squared_error(output, engine.tensor(target, 0))
    # codes compare as the values do
    return replace(loss, correct=int((engine.vector.array(output.value).argmax(axis=1) == labels).sum()))


def _smoothed(labels: np.ndarray, classes: int, smoothing: Fraction) -> np.ndarray:
    """Return ``one_hot - q`` as codes with ``TARGET_FRAC_BITS`` fractional bits."""
    one = 2**TARGET_FRAC_BITS
    codes = np.full((len(labels), classes), -round(smoothing * one / classes), np.int32)
    codes[np.arange(len(labels)), labels] += round(smoothing * one)
    return codes


def mean_squared_error(output: Tensor, target: Tensor) -> Loss:
    """Mean over all elements of ``(output - target)^2``, gradient ``2 (output - target) / elements``.

    The sum of the result runs over the samples (the first axis), each with the mean over its elements.

    Parameters
    ----------
    output, target : Tensor, shape (samples, ...)
        The target gets no gradient.
    """
    engine = output.engine
    elements, samples = math.prod(output.shape), output.shape[0]
    with engine.at(layer="loss"):
        difference = subtract(Tensor(engine, output.value), target)
    total = engine.vector.sum_of_squares(difference.value) * samples / elements
    with engine.at(layer="loss", pass_="input_grad"):
        grad = scale(difference, factor=Fraction(2, elements))
    return Loss(total, samples, 0, output, grad)
