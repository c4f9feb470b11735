"""Multi-head attention. Its two products of activations run on the MAC array as layers of their own.

Vaswani et al., "Attention is all you need", 2017, section 3.2.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from fxpsim.autodiff import Tensor, ops
from fxpsim.nn.initializers import glorot_uniform
from fxpsim.nn.linear import Linear
from fxpsim.nn.module import Module

ROOT_BITS = 40


class Product(Module):
    """Batched product of two activations, (G, M, K) x (G, K, N), or (G, N, K) if ``transposed``.

    The first is quantized as the stream ``activation``, the second as ``weight``: it stays in the array.
    """

    multiplies = True

    def __init__(self, *, transposed: bool = False) -> None:
        self.transposed = transposed

    def of(self, a: Tensor, b: Tensor) -> Tensor:
        """Multiply."""
        with a.engine.at(layer=self.path):
            first, second = ops.cast(a, stream="activation"), ops.cast(b, stream="weight")
            return ops.batched_matmul(first, second, transpose_b=self.transposed)


class MultiHeadAttention(Module):
    r"""``concat(softmax(q_h k_h^T / sqrt(d)) v_h) W_o`` over the heads h.

    Parameters
    ----------
    width, heads : int
        Width of the model, and heads; each is ``width / heads`` = d wide.
    causal : bool
        Whether a position sees only itself and those before it.
    bias : bool
        Whether the four projections add a bias.
    """

    def __init__(self, width: int, heads: int, *, causal: bool = False, bias: bool = True) -> None:
        if width % heads:
            raise ValueError(f"width {width} cannot be cut into {heads} heads")
        self.heads, self.causal = heads, causal
        self.query = Linear(width, width, bias=bias, initializer=glorot_uniform)
        self.key = Linear(width, width, bias=bias, initializer=glorot_uniform)
        self.value = Linear(width, width, bias=bias, initializer=glorot_uniform)
        self.scores = Product(transposed=True)
        self.mix = Product()
        self.output = Linear(width, width, bias=bias, initializer=glorot_uniform)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, T, width) to itself: every position asks all (or all before it)."""
        return self.attend(x, x)

    def attend(self, x: Tensor, memory: Tensor) -> Tensor:
        """Let the positions of ``x`` (N, T, width) ask those of ``memory`` (N, S, width)."""
        with x.engine.at(layer=self.path):
            n, t, width = x.shape
            depth = width // self.heads
            q, k, v = self._split(self.query(x)), self._split(self.key(memory)), self._split(self.value(memory))
            scores = ops.scale(self.scores.of(q, k), factor=_inverse_root(depth))
            mixed = self.mix.of(ops.softmax(scores, causal=self.causal), v)
            joined = ops.transpose(ops.reshape(mixed, shape=(n, self.heads, t, depth)), axes=(0, 2, 1, 3))
            return self.output(ops.reshape(joined, shape=(n, t, width)))

    def _split(self, x: Tensor) -> Tensor:
        """Cut (N, T, width) into the heads: (N heads, T, depth)."""
        n, t, width = x.shape
        depth = width // self.heads
        cut = ops.transpose(ops.reshape(x, shape=(n, t, self.heads, depth)), axes=(0, 2, 1, 3))
        return ops.reshape(cut, shape=(n * self.heads, t, depth))


def _inverse_root(n: int) -> Fraction:
    """Return ``1 / sqrt(n)`` to 40 bits, exact for squares of powers of two."""
    return Fraction(isqrt(2 ** (2 * ROOT_BITS) // n), 2**ROOT_BITS)
