"""Matrix products on the MAC array."""

# ruff: noqa: D102  (Op says what the rules do)

from __future__ import annotations

from fxpsim.autodiff.op import Op
from fxpsim.autodiff.ops.cast import Errors, reread


class Matmul(Op):
    """``a @ b`` of MAC operands, either of them transposed.

    The gradient casts the incoming error to the ``error`` stream and multiplies it with the operands of the forward
    pass: ``dL/da = E b^T`` (input_grad) and ``dL/db = a^T E`` (weight_grad).
    """

    name = "matmul"

    def value(self, engine, a, b, *, transpose_a=False, transpose_b=False):
        sums = engine.mac.run("matmul", a, b, transpose_a=transpose_a, transpose_b=transpose_b)
        return engine.vector.from_accumulator(sums)

    def gradient(self, grad, inputs, output, saved, *, transpose_a=False, transpose_b=False):
        assert not transpose_a, "the forward product is not transposed"
        assert not transpose_b, "the forward product is not transposed"
        a, b = inputs
        errors = Errors(grad)
        to_a = matmul(errors.here(), reread(b), transpose_b=True) if a.requires_grad else None
        to_b = None
        if b.requires_grad:
            with grad.engine.at(pass_="weight_grad"):
                to_b = matmul(reread(a), errors.here(), transpose_a=True)
        return to_a, to_b

    def count(self, counter, layer, pass_, shapes, out, *, transpose_a=False, transpose_b=False):
        """One GEMM; its elements are those of the operands and the result."""
        (a, b), (m, n) = shapes, out
        k = a[0] if transpose_a else a[1]
        counter.mac(layer, pass_, self.name, (m, k, n), (a[0] * a[1], b[0] * b[1], m * n), 1)


matmul = Matmul()
