"""Quantization of a stream, with a straight-through gradient."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

from fxpsim.autodiff.op import Op


class Cast(Op):
    """Turn a vector value into a MAC operand by the quantizer of ``stream``.

    The gradient passes straight through (Bengio et al. 2013): the derivative of rounding is taken as 1.
    """

    name = "cast"

    def value(self, engine, a, *, stream):
        return engine.quantize(a, stream)

    def gradient(self, grad, inputs, output, saved, *, stream):
        return (grad,)


cast = Cast()
