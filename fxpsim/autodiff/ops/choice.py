"""A hard choice between candidates, with a straight-through gradient for the shares that it was made from."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.ops.elementwise import add, multiply, scale
from fxpsim.autodiff.ops.layout import concatenate, transpose
from fxpsim.autodiff.ops.loss import TARGET_FRAC_BITS
from fxpsim.autodiff.ops.pooling import global_average_pool
from fxpsim.autodiff.ops.shape import reshape, sum_leading
from fxpsim.autodiff.tensor import Tensor


class Chosen(Op):
    r"""The output y of what was chosen, as :math:`\sum_k (h_k - \mathrm{stop}(p_k) + p_k) \, y_k`.

    h is one-hot, so the value is y. The gradient of y passes on; share k of a sample gets the inner product of the
    gradient with candidate k's output, and the candidate's penalty on top. ``outputs`` holds the candidates' values
    (one value may stand for several candidates), ``penalty`` says the penalties once the whole batch is known. Without
    outputs nothing was chosen, and the shares' gradient is zero.
    """

    name = "chosen"

    def value(self, engine, y, shares, *, outputs, penalty):
        return y

    def gradient(self, grad, inputs, output, saved, *, outputs: Sequence[Any], penalty: Callable[[], list[Fraction]]):
        _, shares = inputs
        if not shares.requires_grad:
            return grad, None
        if not outputs:
            return grad, grad.engine.tensor(np.zeros(shares.shape, np.int32), 0)
        known: dict[int, Tensor] = {}
        for found in outputs:
            if id(found) not in known:
                known[id(found)] = _inner(grad, Tensor(grad.engine, found))
        slopes = concatenate([known[id(found)] for found in outputs], axis=1)
        codes = np.array([[round(p * 2**TARGET_FRAC_BITS) for p in penalty()]], np.int32)
        codes = np.broadcast_to(codes, shares.shape).copy()
        return grad, add(slopes, grad.engine.tensor(codes, TARGET_FRAC_BITS))

    def count(self, counter, layer, pass_, shapes, out, **attributes):
        """Nothing is computed."""


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product of every sample, (N, 1)."""
    product = multiply(a, b)
    samples, places = a.shape[0], math.prod(a.shape[1:-1])
    if places > 1:
        product = scale(global_average_pool(product), factor=Fraction(places))
    rows = transpose(reshape(product, shape=(samples, a.shape[-1])), axes=(1, 0))
    return reshape(sum_leading(rows, shape=(samples,)), shape=(samples, 1))


chosen = Chosen()
