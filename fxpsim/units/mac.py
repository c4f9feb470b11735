"""The MAC array: integer GEMMs and convolutions with the accumulator that the accelerator's file describes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fxpsim.accelerator import Accelerator
from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.numerics import Overflow, RandomBits
from fxpsim.units.values import Accumulated, Operand


class MacArray:
    """Executes the MAC array of an accelerator.

    A GEMM whose operands are both codes is exact, up to what its accumulator does on purpose. One with a float operand
    is computed in binary32 and remembered in ``float_operands``.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        unit = accelerator.mac_array.accumulator
        self.drop_bits = unit.product_drop_bits
        self.raises = unit.overflow is Overflow.RAISE
        self.spec = mac.MacSpec(
            word_bits=unit.word_bits,
            overflow=Overflow.SATURATE if self.raises else unit.overflow,
            product_shift=unit.product_drop_bits,
            rounding=unit.rounding,
            order=unit.order,
            chunk=unit.chunk,
        )
        self.overflowed = 0
        self.begin_step(RandomBits())

    def begin_step(self, random: RandomBits) -> None:
        """Start a step: products that are rounded stochastically draw from ``random``, GEMM by GEMM."""
        self._random, self._calls = random, 0

    def _spec(self) -> mac.MacSpec:
        """Return the accumulator of the next GEMM, with random bits of its own where it needs any."""
        if not (self.spec.rounds and self.spec.rounding.is_stochastic):
            return self.spec
        self._calls += 1
        key0, key1 = self._random.derive(self._calls).key
        return replace(self.spec, key0=key0, key1=key1)

    def run(self, operation: str, a: Operand, b: Operand, **attributes: Any) -> Accumulated:
        """Run ``matmul``, ``conv2d``, ``conv2d_input_grad`` or ``conv2d_weight_grad``."""
        if a.format is None or b.format is None:
            return self._float(operation, a, b, attributes)
        first, second = _BOUND_NAMES[operation]
        bounds = {first: a.bound, second: b.bound}
        result = getattr(mac, operation)(a.codes, b.codes, self._spec(), **attributes, **bounds)
        if result.overflowed and self.raises:
            raise UserError(
                f"{result.overflowed} accumulator updates left the range of {self.spec.word_bits} bits",
                where=operation,
                expected="no overflow (accumulator.overflow is 'raise')",
                remedy="use a wider accumulator, drop product bits, or let it saturate",
            )
        self.overflowed += result.overflowed
        frac_bits = a.format.frac_bits + b.format.frac_bits - self.drop_bits
        return Accumulated(result.codes, frac_bits, result.max_abs, result.overflowed)

    def _float(self, operation: str, a: Operand, b: Operand, attributes: dict[str, Any]) -> Accumulated:
        function = getattr(mac, operation + "_float")
        return Accumulated(function(_as_float(a), _as_float(b), **attributes), None)


_BOUND_NAMES = {
    "matmul": ("a_bound", "b_bound"),
    "conv2d": ("x_bound", "w_bound"),
    "conv2d_input_grad": ("e_bound", "w_bound"),
    "conv2d_weight_grad": ("x_bound", "e_bound"),
}


def _as_float(operand: Operand) -> np.ndarray:
    """Codes of at most 24 bits are exact in binary32; longer ones are rounded."""
    if operand.format is None:
        return operand.codes
    return np.ldexp(operand.codes.astype(np.float32), -operand.format.frac_bits).astype(np.float32)
