"""Smooth activation functions, from four curves and products."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

import math
from fractions import Fraction

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.ops.elementwise import clip, multiply, scale, subtract
from fxpsim.autodiff.tensor import Tensor
from fxpsim.kernels.curves import Curve


class Smooth(Op):
    """A curve of the vector unit; gradients are written in the curves themselves.

    With y the result: ``y (1 - y)`` (sigmoid), ``1 - y^2`` (tanh), the density (distribution), ``-x y`` (density).
    """

    name = "curve"

    def value(self, engine, a, *, kind):
        return engine.vector.curve(a, kind)

    def gradient(self, grad, inputs, output, saved, *, kind):
        x = inputs[0]
        match kind:
            case Curve.SIGMOID:
                # the limit is never met: it tells a fixed-point unit how large the slope can be
                slope = clip(subtract(output, multiply(output, output)), low=Fraction(0), high=Fraction(1, 4))
            case Curve.TANH:
                carried = multiply(grad, multiply(output, output))
                return (subtract(grad, carried),)
            case Curve.NORMAL_CDF:
                slope = curve(x, kind=Curve.NORMAL_DENSITY)
            case Curve.NORMAL_DENSITY:
                slope = scale(multiply(x, output), factor=Fraction(-1))
        return (multiply(grad, slope),)

    def count(self, counter, layer, pass_, shapes, out, *, kind):
        """Two nodes, a product and a sum an element."""
        size = math.prod(out)
        counter.vector(layer, pass_, kind.name.lower(), size, size, 2 * size)


curve = Smooth()


def sigmoid(a: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))``."""
    return curve(a, kind=Curve.SIGMOID)


def tanh(a: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return curve(a, kind=Curve.TANH)


def gelu(a: Tensor) -> Tensor:
    """``x`` times the share of the standard normal distribution below x (Hendrycks and Gimpel 2016)."""
    return multiply(a, curve(a, kind=Curve.NORMAL_CDF))


def silu(a: Tensor) -> Tensor:
    """``x sigmoid(x)``, also called swish."""
    return multiply(a, sigmoid(a))
