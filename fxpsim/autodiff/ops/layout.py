"""Ops that bring elements to other places: transposition, joining, look-up in a table."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

import math

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.ops.slicing import take
from fxpsim.autodiff.tensor import Tensor


class Transpose(Op):
    """The axes in another order."""

    name = "transpose"

    def value(self, engine, a, *, axes):
        return engine.vector.transpose(a, axes)

    def gradient(self, grad, inputs, output, saved, *, axes):
        back = tuple(axes.index(i) for i in range(len(axes)))
        return (transpose(grad, axes=back),)

    def count(self, counter, layer, pass_, shapes, out, **attributes):
        """Elements move; nothing is computed."""
        counter.vector(layer, pass_, self.name, math.prod(out), math.prod(out), 0)


class Concatenate(Op):
    """Tensors one after the other along ``axis``; in fixed point at a common binary point."""

    name = "concatenate"

    def value(self, engine, *parts, axis):
        return engine.vector.concatenate(list(parts), axis)

    def gradient(self, grad, inputs, output, saved, *, axis):
        parts: list[Tensor | None] = []
        start = 0
        for source in inputs:
            stop = start + source.shape[axis]
            index = tuple(slice(start, stop) if i == axis else slice(None) for i in range(len(source.shape)))
            parts.append(take(grad, index=index) if source.requires_grad else None)
            start = stop
        return tuple(parts)

    def count(self, counter, layer, pass_, shapes, out, **attributes):
        """Elements move; nothing is computed."""
        counter.vector(layer, pass_, self.name, math.prod(out), math.prod(out), 0)


class Embedding(Op):
    """Rows of a table by their numbers."""

    name = "embedding"

    def value(self, engine, table, *, ids):
        return engine.vector.gather(table, ids)

    def gradient(self, grad, inputs, output, saved, *, ids):
        return (scatter_add(grad, ids=ids, rows=inputs[0].shape[0]),)

    def count(self, counter, layer, pass_, shapes, out, **attributes):
        """Elements move; nothing is computed."""
        counter.vector(layer, pass_, self.name, math.prod(out), math.prod(out), 0)


class ScatterAdd(Op):
    """Sum of the rows that go to each row of a table."""

    name = "scatter_add"

    def value(self, engine, grad, *, ids, rows):
        return engine.vector.scatter_add(grad, ids, rows)


transpose = Transpose()
embedding = Embedding()
scatter_add = ScatterAdd()
_concatenate = Concatenate()


def concatenate(parts: list[Tensor], *, axis: int) -> Tensor:
    """Join tensors along an axis (not negative)."""
    return _concatenate(*parts, axis=axis)
