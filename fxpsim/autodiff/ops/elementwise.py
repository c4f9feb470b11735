"""Element-wise ops: sum, ReLU and its gate, multiplication by a constant."""

from __future__ import annotations

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


add = Add()
scale = Scale()
relu = Relu()
gate = Gate()

__all__ = ["Tensor", "add", "gate", "relu", "scale"]
