"""Cutting a tensor out of another one, and putting it back among zeros: two ops, each the gradient of the other."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

import math

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.tensor import Tensor

Index = tuple[slice, ...]


class Take(Op):
    """``a[index]`` for a tuple of slices, steps included."""

    name = "take"

    def value(self, engine, a, *, index):
        return engine.vector.take(a, index)

    def gradient(self, grad, inputs, output, saved, *, index):
        return (put(grad, index=index, shape=inputs[0].shape),)

    def count(self, counter, layer, pass_, shapes, out, **attributes):
        """Elements move; nothing is computed."""
        counter.vector(layer, pass_, self.name, math.prod(out), math.prod(out), 0)


class Put(Op):
    """Zeros of ``shape`` with ``a`` in the places ``index``."""

    name = "put"

    def value(self, engine, a, *, index, shape):
        return engine.vector.put(a, index, shape)

    def gradient(self, grad, inputs, output, saved, *, index, shape):
        return (take(grad, index=index),)

    def count(self, counter, layer, pass_, shapes, out, **attributes):
        """Elements move; nothing is computed."""
        counter.vector(layer, pass_, self.name, math.prod(shapes[0]), math.prod(out), 0)


take = Take()
put = Put()


def pad(a: Tensor, *, widths: tuple[tuple[int, int], ...]) -> Tensor:
    """Surround with zeros: ``widths`` gives (before, after) for every axis."""
    index = tuple(slice(before, before + size) for (before, _), size in zip(widths, a.shape, strict=True))
    shape = tuple(before + size + after for (before, after), size in zip(widths, a.shape, strict=True))
    return put(a, index=index, shape=shape)
