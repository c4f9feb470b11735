"""Element-wise ops: sums, products, limits and the gates of their gradients, dropout."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

from fractions import Fraction
from typing import Any

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.ops.shape import reduce_to
from fxpsim.autodiff.tensor import Tensor


class Add(Op):
    """Broadcast sum: a bias, or two branches that join."""

    name = "add"

    def value(self, engine, a, b):
        return engine.vector.add(a, b)

    def gradient(self, grad, inputs, output, saved):
        return tuple(reduce_to(grad, source.shape) if source.requires_grad else None for source in inputs)


class Subtract(Op):
    """Broadcast difference."""

    name = "subtract"

    def value(self, engine, a, b):
        return engine.vector.subtract(a, b)

    def gradient(self, grad, inputs, output, saved):
        a, b = inputs
        to_b = scale(reduce_to(grad, b.shape), factor=Fraction(-1)) if b.requires_grad else None
        return reduce_to(grad, a.shape) if a.requires_grad else None, to_b


class Multiply(Op):
    """Broadcast product."""

    name = "multiply"

    def value(self, engine, a, b):
        return engine.vector.multiply(a, b)

    def gradient(self, grad, inputs, output, saved):
        a, b = inputs
        to_a = reduce_to(multiply(grad, b), a.shape) if a.requires_grad else None
        to_b = reduce_to(multiply(grad, a), b.shape) if b.requires_grad else None
        return to_a, to_b


class Scale(Op):
    """Multiplication by an exact constant."""

    name = "scale"

    def value(self, engine, a, *, factor):
        return engine.vector.scale(a, factor)

    def gradient(self, grad, inputs, output, saved, *, factor):
        return (scale(grad, factor=factor),)


class Relu(Op):
    """``max(x, 0)``; the gradient at 0 is 0."""

    name = "relu"

    def value(self, engine, a):
        return engine.vector.relu(a)

    def gradient(self, grad, inputs, output, saved):
        return (gate(output, grad),)


class Gate(Op):
    """``a`` where ``condition > 0``, else 0. The condition gets no gradient."""

    name = "gate"

    def value(self, engine, condition, a):
        return engine.vector.gate(condition, a)

    def gradient(self, grad, inputs, output, saved) -> tuple[Any, ...]:
        return None, gate(inputs[0], grad)


class Clip(Op):
    """``min(max(x, low), high)``; the gradient at and beyond the limits is 0."""

    name = "clip"

    def value(self, engine, a, *, low, high):
        return engine.vector.clip(a, low, high)

    def gradient(self, grad, inputs, output, saved, *, low, high):
        return (inside(output, grad, low=low, high=high),)


class Inside(Op):
    """``a`` where ``low < condition < high``, else 0. The condition gets no gradient."""

    name = "inside"

    def value(self, engine, condition, a, *, low, high):
        return engine.vector.inside(condition, a, low, high)

    def gradient(self, grad, inputs, output, saved, *, low, high) -> tuple[Any, ...]:
        return None, inside(inputs[0], grad, low=low, high=high)


class Dropout(Op):
    """``x / (1 - p)`` where the element's random word is at least ``p 2**32``, else 0 (Srivastava et al. 2014).

    The words are a function of ``key`` and the element's index alone, so that the gradient draws the same ones.
    """

    name = "dropout"

    def value(self, engine, a, *, threshold, key):
        kept = engine.vector.dropout(a, threshold, key)
        return engine.vector.scale(kept, Fraction(2**32, 2**32 - threshold))

    def gradient(self, grad, inputs, output, saved, *, threshold, key):
        return (dropout(grad, threshold=threshold, key=key),)


class Settle(Op):
    """The same tensor, and the same gradient. In fixed point it takes the leading bit of its largest code.

    A fixed-point unit knows a bound of every result before it is computed; over the steps of a recurrence such bounds
    only grow. This op measures the tensor (a maximum, as behind the MAC array), so that they begin anew.
    """

    name = "settle"

    def value(self, engine, a):
        return engine.vector.settle(a)

    def gradient(self, grad, inputs, output, saved):
        return (settle(grad),)


def relu6(a: Tensor) -> Tensor:
    """``min(max(x, 0), 6)``."""
    return clip(a, low=Fraction(0), high=Fraction(6))


def leaky_relu(a: Tensor, *, slope: Fraction = Fraction(1, 100)) -> Tensor:
    """``x`` above 0, ``slope x`` below."""
    return subtract(relu(a), scale(relu(scale(a, factor=Fraction(-1))), factor=slope))


add = Add()
subtract = Subtract()
multiply = Multiply()
clip = Clip()
inside = Inside()
dropout = Dropout()
settle = Settle()
scale = Scale()
relu = Relu()
gate = Gate()
