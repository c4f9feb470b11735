"""Softmax along the last axis."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

import math

from fxpsim.autodiff.op import Op


class Softmax(Op):
    """Shares ``exp(x_i) / sum exp(x_j)`` of every row; ``causal`` hides the positions beyond the row's own."""

    name = "softmax"

    def value(self, engine, a, *, causal=False):
        return engine.vector.softmax(a, causal=causal)

    def gradient(self, grad, inputs, output, saved, *, causal=False):
        return (softmax_gradient(grad, output),)

    def count(self, counter, layer, pass_, shapes, out, *, causal=False):
        """Maximum, difference, exponential, sum, quotient."""
        size = math.prod(out)
        counter.vector(layer, pass_, self.name, size, size, 5 * size)


class SoftmaxGradient(Op):
    """``shares (g - sum(g shares))`` of every row; hidden positions have share 0 and so get none."""

    name = "softmax_gradient"

    def value(self, engine, grad, shares):
        return engine.vector.softmax_gradient(grad, shares)

    def count(self, counter, layer, pass_, shapes, out):
        """Product, sum, difference, product."""
        size = math.prod(out)
        counter.vector(layer, pass_, self.name, 2 * size, size, 4 * size)


softmax = Softmax()
softmax_gradient = SoftmaxGradient()
