"""Recurrent layers over (N, T, inputs): plain, gated recurrent unit, long short-term memory.

The products with all inputs are one GEMM; those with the state are one a step. All gates of a cell share one weight.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from fxpsim.autodiff import Tensor, ops
from fxpsim.nn.initializers import glorot_uniform
from fxpsim.nn.linear import Linear
from fxpsim.nn.module import Module


class Recurrent(Module):
    """Base: runs a cell over time. A subclass sets ``gates`` and defines ``cell``."""

    gates = 1

    def __init__(self, inputs: int, width: int) -> None:
        self.width = width
        self.inputs = Linear(inputs, self.gates * width, initializer=glorot_uniform)
        self.state = Linear(width, self.gates * width, bias=False, initializer=glorot_uniform)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, T, inputs) to the states (N, T, width); the state before the first step is 0."""
        n, steps, _ = x.shape
        projected = self.inputs(x)
        hidden = zeros_like_rows(x, self.width)
        memory = zeros_like_rows(x, self.width)
        states = []
        for step in range(steps):
            here = ops.take(projected, index=(slice(None), slice(step, step + 1), slice(None)))
            here = ops.reshape(here, shape=(n, self.gates * self.width))
            hidden, memory = (ops.settle(state) for state in self.cell(here, hidden, memory))
            states.append(ops.reshape(hidden, shape=(n, 1, self.width)))
        return ops.concatenate(states, axis=1)

    def cell(self, here: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state and memory from the projected input, the state and the memory."""
        raise NotImplementedError(f"{type(self).__name__} has no cell")

    def gate(self, a: Tensor, index: int) -> Tensor:
        """Cut one gate out of (N, gates width)."""
        return ops.take(a, index=(slice(None), slice(index * self.width, (index + 1) * self.width)))


class RNN(Recurrent):
    """``h <- tanh(W x + U h + b)`` (Elman 1990)."""

    def cell(self, here: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Make one step."""
        return ops.tanh(ops.add(here, self.state(hidden))), memory


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    Input, forget and output gates are sigmoids, the candidate a tanh; ``c <- f c + i g``, ``h <- o tanh(c)``.
    """

    gates = 4

    def cell(self, here: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Make one step."""
        sums = ops.add(here, self.state(hidden))
        enter, forget, leave = (ops.sigmoid(self.gate(sums, i)) for i in (0, 1, 3))
        memory = ops.add(ops.multiply(forget, memory), ops.multiply(enter, ops.tanh(self.gate(sums, 2))))
        return ops.multiply(leave, ops.tanh(memory)), memory


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), the reset gate behind the product as in cuDNN.

    ``h <- n + z (h - n)`` with ``n = tanh(W x + b + r U h)``.
    """

    gates = 3

    def cell(self, here: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Make one step."""
        inside = self.state(hidden)
        reset, keep = (ops.sigmoid(ops.add(self.gate(here, i), self.gate(inside, i))) for i in (0, 1))
        new = ops.tanh(ops.add(self.gate(here, 2), ops.multiply(reset, self.gate(inside, 2))))
        return ops.add(new, ops.multiply(keep, ops.subtract(hidden, new))), memory


def zeros_like_rows(x: Tensor, width: int) -> Tensor:
    """Return zeros (N, width) for the N rows of ``x``."""
    zeros = x.engine.tensor(np.zeros((x.shape[0], width), np.int8), 0)
    return ops.scale(zeros, factor=Fraction(0))  # tells a fixed-point unit that nothing is there
