"""Ops that move or fold elements: reshape, sum over leading axes."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

import math

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.tensor import Tensor


class Reshape(Op):
    """The same elements, in the same order, under another shape. Costs nothing."""

    name = "reshape"

    def value(self, engine, a, *, shape):
        return engine.vector.reshape(a, shape)

    def gradient(self, grad, inputs, output, saved, *, shape):
        return (reshape(grad, shape=inputs[0].shape),)

    def count(self, counter, layer, pass_, shapes, out, **attributes):
        """Nothing moves."""


class SumLeading(Op):
    """Sum over the leading axes."""

    name = "sum"

    def value(self, engine, a, *, shape):
        return engine.vector.sum_leading(a, shape)


reshape = Reshape()
sum_leading = SumLeading()


def flatten(a: Tensor) -> Tensor:
    """Join all axes but the first."""
    return reshape(a, shape=(a.shape[0], math.prod(a.shape[1:])))


def reduce_to(grad: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the gradient with respect to an operand of ``shape`` that was broadcast over leading axes."""
    return grad if grad.shape == shape else sum_leading(grad, shape=shape)
