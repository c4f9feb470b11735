"""Normalization: every column (channel) or row by its mean and standard deviation.

Ioffe and Szegedy, "Batch normalization", 2015, algorithms 1 and 2; the gradient is that of their section 3, gathered
into two column sums and one affine map.
"""

# ruff: noqa: D102  (Op says what the rules do, operands are positional)

from __future__ import annotations

import math
from typing import Any

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.tensor import Tensor


class BatchNorm(Op):
    """``gamma (x - mean) / sqrt(variance + epsilon) + beta`` with the statistics of the batch."""

    name = "batch_norm"
    saves = True

    def value(self, engine, x, gamma, beta, *, epsilon):
        return engine.vector.normalize_batch(x, gamma, beta, epsilon)

    def gradient(self, grad, inputs, output, saved, *, epsilon):
        return _gradient(grad, inputs[1], saved)

    def count(self, counter, layer, pass_, shapes, out, **attributes):
        """Read twice (statistics, then the map); sum, square, sum, and a product and a sum an element."""
        size = math.prod(out)
        counter.vector(layer, pass_, self.name, 2 * size, size, 5 * size)


class FrozenBatchNorm(Op):
    """The same with given statistics, which get no gradient."""

    name = "batch_norm_frozen"
    saves = True

    def value(self, engine, x, gamma, beta, mean, variance, *, epsilon):
        return engine.vector.normalize_frozen(x, gamma, beta, mean, variance, epsilon)

    def gradient(self, grad, inputs, output, saved, *, epsilon):
        return *_gradient(grad, inputs[1], saved), None, None

    def count(self, counter, layer, pass_, shapes, out, **attributes):
        """A product and a sum an element."""
        size = math.prod(out)
        counter.vector(layer, pass_, self.name, size, size, 2 * size)


def _gradient(grad: Tensor, gamma: Tensor, saved: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Two column sums (of g and of g x), then two products and two sums an element."""
    engine = grad.engine
    if engine.counter is not None:
        size = math.prod(grad.shape)
        engine.counter.vector(engine.layer, engine.pass_, "batch_norm_gradient", 4 * size, size, 7 * size)
    to_x, to_gamma, to_beta = engine.vector.normalize_gradient(grad.value, gamma.value, saved)
    return Tensor(engine, to_x), Tensor(engine, to_gamma), Tensor(engine, to_beta)


class NormalizeRows(Op):
    """``(x - mean) / sqrt(variance + epsilon)`` of every row: the last axis (Ba, Kiros, Hinton 2016, without gain)."""

    name = "normalize_rows"
    saves = True

    def value(self, engine, x, *, epsilon):
        return engine.vector.normalize_rows(x, epsilon)

    def gradient(self, grad, inputs, output, saved, *, epsilon):
        engine = grad.engine
        if engine.counter is not None:
            size = math.prod(grad.shape)
            engine.counter.vector(engine.layer, engine.pass_, "normalize_rows_gradient", 4 * size, size, 7 * size)
        return (Tensor(engine, engine.vector.normalize_rows_gradient(grad.value, saved)),)

    def count(self, counter, layer, pass_, shapes, out, **attributes):
        """Read twice (statistics, then the map); sum, square, sum, and a product and a sum an element."""
        size = math.prod(out)
        counter.vector(layer, pass_, self.name, 2 * size, size, 5 * size)


normalize_rows = NormalizeRows()
batch_norm = BatchNorm()
frozen_batch_norm = FrozenBatchNorm()
