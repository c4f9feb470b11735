"""Pooling: the largest or the mean element of each window."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

import math
from fractions import Fraction

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.ops.elementwise import scale
from fxpsim.autodiff.ops.shape import reshape
from fxpsim.autodiff.tensor import Tensor
from fxpsim.units import Window


class WindowMax(Op):
    """Largest element of each window (padding never wins); the gradient goes to the first of the largest."""

    name = "window_max"
    saves = True

    def value(self, engine, a, *, window):
        return engine.vector.window_max(a, window)

    def gradient(self, grad, inputs, output, saved, *, window):
        return (window_max_gradient(grad, winners=saved, window=window, shape=inputs[0].shape),)

    def count(self, counter, layer, pass_, shapes, out, *, window):
        """One comparison an element of every window."""
        counter.vector(layer, pass_, self.name, math.prod(shapes[0]), math.prod(out), math.prod(out) * window.area)


class WindowMaxGradient(Op):
    """Scatter of the gradients to the winners."""

    name = "window_max_gradient"

    def value(self, engine, grad, *, winners, window, shape):
        return engine.vector.window_max_gradient(grad, winners, window, shape)


class WindowSum(Op):
    """Sum of each window; padding counts as 0."""

    name = "window_sum"

    def value(self, engine, a, *, window):
        return engine.vector.window_sum(a, window)

    def gradient(self, grad, inputs, output, saved, *, window):
        return (window_sum_gradient(grad, window=window, shape=inputs[0].shape),)

    def count(self, counter, layer, pass_, shapes, out, *, window):
        """One addition an element of every window."""
        counter.vector(layer, pass_, self.name, math.prod(shapes[0]), math.prod(out), math.prod(out) * window.area)


class WindowSumGradient(Op):
    """Every element of a window gets its gradient."""

    name = "window_sum_gradient"

    def value(self, engine, grad, *, window, shape):
        return engine.vector.window_sum_gradient(grad, window, shape)


max_pool = WindowMax()
window_max_gradient = WindowMaxGradient()
window_sum = WindowSum()
window_sum_gradient = WindowSumGradient()


def average_pool(a: Tensor, *, window) -> Tensor:
    """Mean of each window, padding included (as in most frameworks' default)."""
    return scale(window_sum(a, window=window), factor=Fraction(1, window.area))


def global_average_pool(a: Tensor) -> Tensor:
    """Mean of every channel: (N, H, W, C) to (N, C)."""
    n, height, width, channels = a.shape
    window = Window(size=(height, width), stride=(height, width))
    return reshape(average_pool(a, window=window), shape=(n, channels))
