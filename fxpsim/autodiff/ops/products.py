"""Products on the MAC array beyond plain matmul and conv: a matmul for each of a batch, and transposed convolution."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

import math
from typing import Any

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.ops.cast import Errors, reread
from fxpsim.autodiff.ops.convolution import conv2d, conv2d_weight_grad
from fxpsim.units.batched import run_batched


class BatchedMatmul(Op):
    """``a[i] @ b[i]`` (b transposed if so said) for every i of the first axis, as attention multiplies.

    Both operands are activations; the second takes the place of the weight, in its stream and in the passes' names.
    """

    name = "matmul"

    def value(self, engine, a, b, *, transpose_a=False, transpose_b=False):
        sums = run_batched(engine.mac, a, b, transpose_a=transpose_a, transpose_b=transpose_b)
        return engine.vector.from_accumulator(sums)

    def gradient(self, grad, inputs, output, saved, *, transpose_a=False, transpose_b=False):
        assert not transpose_a, "the first operand of a forward product is not transposed"
        a, b = inputs
        errors = Errors(grad)
        to_a = batched_matmul(errors.here(), reread(b), transpose_b=not transpose_b) if a.requires_grad else None
        to_b = None
        if b.requires_grad:
            with grad.engine.at(pass_="weight_grad"):
                error, again = errors.here(), reread(a)
                first, second = (error, again) if transpose_b else (again, error)
                to_b = batched_matmul(first, second, transpose_a=True)
        return to_a, to_b

    def count(self, counter, layer, pass_, shapes, out, *, transpose_a=False, transpose_b=False):
        """One GEMM for each of the batch."""
        a, b = shapes
        k = a[1] if transpose_a else a[2]
        elements = math.prod(a), math.prod(b), math.prod(out)
        counter.mac(layer, pass_, self.name, (out[1], k, out[2]), elements, out[0])


class ConvTranspose2d(Op):
    """The input gradient of a convolution as a forward op: it maps (N, OH, OW, K) to (N, H, W, C).

    Kernels are those of that convolution, (R, S, C / groups, K). Its own gradients are the convolution and the
    convolution's weight gradient with the roles exchanged.
    """

    name = "conv2d_transpose"

    def value(self, engine, x, w, *, output_shape, **geometry: Any):
        sums = engine.mac.run("conv2d_input_grad", x, w, input_shape=output_shape, **geometry)
        return engine.vector.from_accumulator(sums)

    def gradient(self, grad, inputs, output, saved, *, output_shape, **geometry: Any):
        x, w = inputs
        errors = Errors(grad)
        to_x = conv2d(errors.here(), reread(w), **geometry) if x.requires_grad else None
        to_w = None
        if w.requires_grad:
            with grad.engine.at(pass_="weight_grad"):
                to_w = conv2d_weight_grad(errors.here(), reread(x), kernel_shape=w.shape, **geometry)
        return to_x, to_w

    def count(self, counter, layer, pass_, shapes, out, *, groups=1, **geometry: Any):
        """Every input element meets every kernel element of its group once: GEMMs of m = N OH OW, k = K, n = R S C."""
        x, (r, s, c, k) = shapes
        elements = math.prod(x), r * s * c * k, math.prod(out)
        counter.mac(layer, pass_, self.name, (math.prod(x[:3]), k // groups, r * s * c), elements, groups)


batched_matmul = BatchedMatmul()
conv2d_transpose = ConvTranspose2d()
