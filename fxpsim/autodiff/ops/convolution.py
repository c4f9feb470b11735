"""Two-dimensional convolution and its two gradients on the MAC array: three ops of one family.

Images are (N, H, W, C), kernels (R, S, C / groups, K). Written as GEMMs (im2col), the three passes multiply matrices of

===========  ==================  ==================  ==================
pass         m                   k                   n
===========  ==================  ==================  ==================
forward      N OH OW             R S C / groups      K / groups
input_grad   N H W               R S K / groups      C / groups
weight_grad  R S C / groups      N OH OW             K / groups
===========  ==================  ==================  ==================

``groups`` times each. For a stride above 1 the input gradient counts only products with elements of the error, that
is ``k = R S K / (stride_h stride_w groups)`` on average, rounded up.
"""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

import math
from typing import Any

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.ops.cast import Errors, reread


class Conv2d(Op):
    """Convolution of MAC operands."""

    name = "conv2d"

    def value(self, engine, x, w, **geometry: Any):
        return engine.vector.from_accumulator(engine.mac.run("conv2d", x, w, **geometry))

    def gradient(self, grad, inputs, output, saved, **geometry: Any):
        x, w = inputs
        errors, to_x = Errors(grad), None
        if x.requires_grad:
            to_x = conv2d_input_grad(errors.here(), reread(w), input_shape=x.shape, **geometry)
        to_w = None
        if w.requires_grad:
            with grad.engine.at(pass_="weight_grad"):
                to_w = conv2d_weight_grad(reread(x), errors.here(), kernel_shape=w.shape, **geometry)
        return to_x, to_w

    def count(self, counter, layer, pass_, shapes, out, *, groups=1, **geometry: Any):
        """One GEMM a group."""
        r, s, c, k = shapes[1]
        gemm = (math.prod(out[:3]), r * s * c, k // groups)
        counter.mac(layer, pass_, self.name, gemm, _elements(shapes, out), groups, r * s)


class Conv2dInputGrad(Op):
    """Gradient of a convolution with respect to its input: the error convolved with the mirrored kernel."""

    name = "conv2d_input_grad"

    def value(self, engine, e, w, **geometry: Any):
        return engine.vector.from_accumulator(engine.mac.run("conv2d_input_grad", e, w, **geometry))

    def count(self, counter, layer, pass_, shapes, out, *, stride, groups=1, **geometry: Any):
        """One GEMM a group."""
        _, (r, s, c, k) = shapes
        down, right = (stride, stride) if isinstance(stride, int) else stride
        gemm = (math.prod(out[:3]), -(-(r * s * k // groups) // (down * right)), c)
        counter.mac(layer, pass_, self.name, gemm, _elements(shapes, out), groups, r * s)


class Conv2dWeightGrad(Op):
    """Gradient of a convolution with respect to its kernel: the input convolved with the error."""

    name = "conv2d_weight_grad"

    def value(self, engine, x, e, **geometry: Any):
        return engine.vector.from_accumulator(engine.mac.run("conv2d_weight_grad", x, e, **geometry))

    def count(self, counter, layer, pass_, shapes, out, *, groups=1, **geometry: Any):
        """One GEMM a group."""
        _, e = shapes
        r, s, c, k = out
        gemm = (r * s * c, math.prod(e[:3]), k // groups)
        counter.mac(layer, pass_, self.name, gemm, _elements(shapes, out), groups)


def _elements(shapes: tuple[tuple[int, ...], ...], out: tuple[int, ...]) -> tuple[int, int, int]:
    return math.prod(shapes[0]), math.prod(shapes[1]), math.prod(out)


conv2d = Conv2d()
conv2d_input_grad = Conv2dInputGrad()
conv2d_weight_grad = Conv2dWeightGrad()
