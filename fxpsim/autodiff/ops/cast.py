"""Quantization of a stream, with a straight-through gradient."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.tensor import Tensor


class Cast(Op):
    """Turn a vector value into a MAC operand by the quantizer of ``stream``.

    The gradient passes straight through (Bengio et al. 2013): the derivative of rounding is taken as 1. Quantizers
    that clip or squash first have that derivative.
    """

    name = "cast"

    def value(self, engine, a, *, stream):
        return engine.quantize(a, stream)

    def gradient(self, grad, inputs, output, saved, *, stream):
        engine = grad.engine
        passed = engine.through_quantizer(grad.value, inputs[0].value, stream)
        return (grad if passed is grad.value else Tensor(engine, passed),)


cast = Cast()


class Errors:
    """The error behind a layer as the passes read it: quantized once, or by a quantizer of each pass's own.

    Parameters
    ----------
    grad : Tensor
        Gradient with respect to the layer's output, a vector value.
    """

    def __init__(self, grad: Tensor) -> None:
        self.grad, self.engine = grad, grad.engine
        precision = self.engine.precision
        self.apart = precision is not None and precision.apart(self.engine.layer, "error")
        self.shared = None if self.apart else cast(grad, stream="error")

    def here(self) -> Tensor:
        """Return the error for the engine's pass."""
        return self.shared or cast(self.grad, stream=f"error@{self.engine.pass_}")


def reread(operand: Tensor) -> Tensor:
    """Return an operand of the forward pass as the engine's pass reads it: quantized anew if that has its own bits."""
    engine, source = operand.engine, getattr(operand.value, "source", None)
    if source is None:
        return operand
    stream, value = source
    return cast(Tensor(engine, value), stream=f"{stream}@{engine.pass_}")
