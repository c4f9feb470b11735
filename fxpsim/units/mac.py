"""The MAC array: integer GEMMs and convolutions with the accumulator that the accelerator's file describes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fxpsim.accelerator import Accelerator
from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.numerics import Overflow, RandomBits
from fxpsim.units.coded import BOUND_NAMES, CodedOperand
from fxpsim.units.coded_mac import accumulated, run_coded
from fxpsim.units.values import Accumulated, Operand, SumCounts

_LATER = {"conv2d_weight_grad"}  # nobody reads weight gradients before the update


class MacArray:
    """Executes the MAC array of an accelerator.

    A GEMM whose operands are both codes is exact, up to what its accumulator does on purpose. One with a float operand
    is computed in binary32. Coded operands multiply as far as their steps allow (:mod:`fxpsim.units.coded_mac`);
    ``inexact`` says why a product of codes had to be computed in binary32.
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
        # called at each GEMM; it returns who is to be told what happened in it
        self.witness: Callable[[], Callable[[SumCounts], None]] | None = None
        self.inexact: dict[str, None] = {}  # reasons, in the order in which they came up
        self.integers = accelerator.vector_unit.arithmetic == "fixed"
        self.overlaps = not (self.integers or self.raises)  # a fixed-point unit needs to know how large sums are
        self.begin_step(RandomBits())

    def begin_step(self, random: RandomBits) -> None:
        """Start a step: products that are rounded stochastically draw from ``random``, GEMM by GEMM."""
        self._random, self._calls = random, 0
        self._unfinished: deque[_Unfinished] = deque()

    def _spec(self) -> mac.MacSpec:
        """Return the accumulator of the next GEMM, with random bits of its own where it needs any."""
        if not (self.spec.rounds and self.spec.rounding.is_stochastic):
            return self.spec
        self._calls += 1
        key0, key1 = self._random.derive(self._calls).key
        return replace(self.spec, key0=key0, key1=key1)

    def run(
        self, operation: str, a: Operand | CodedOperand, b: Operand | CodedOperand, **attributes: Any
    ) -> Accumulated:
        """Run ``matmul``, ``conv2d``, ``conv2d_input_grad`` or ``conv2d_weight_grad``."""
        if isinstance(a, CodedOperand) or isinstance(b, CodedOperand):
            return self._coded(operation, a, b, attributes)
        if a.format is None or b.format is None:
            return self._float(operation, a, b, attributes)
        first, second = BOUND_NAMES[operation]
        options = {first: a.bound, second: b.bound}
        if operation in _LATER and self.overlaps:
            options["later"] = True
        result = getattr(mac, operation)(a.codes, b.codes, self._spec(), **attributes, **options)
        frac_bits = a.format.frac_bits + b.format.frac_bits - self.drop_bits
        if result.unfinished is not None:
            coming = _Unfinished(self, result)
            self._unfinished.append(coming)
            self._let_go()
            return Accumulated(result.codes, frac_bits, finish=coming.finish)
        self.count(operation, SumCounts.of(result))
        return Accumulated(result.codes, frac_bits, result.max_abs, result.overflowed)

    def _let_go(self) -> None:
        """Give the memory back that jobs needed which are done."""
        while self._unfinished and self._unfinished[0].is_done:
            self._unfinished.popleft().finish()

    def end_step(self) -> None:
        """Finish what idle threads may still be working on."""
        while self._unfinished:
            self._unfinished.pop().finish()

    def count(self, operation: str, counts: SumCounts) -> None:
        """Enter what happened in a GEMM.

        Raises
        ------
        UserError
            If a sum left the range of an accumulator that must not overflow.
        """
        if counts.overflowed and self.raises:
            raise UserError(
                f"{counts.overflowed} accumulator updates left the range of {self.spec.word_bits} bits",
                where=operation,
                expected="no overflow (accumulator.overflow is 'raise')",
                remedy="use a wider accumulator, drop product bits, or let it saturate",
            )
        self.enter(counts, self.witness() if self.witness is not None else None)

    def enter(self, counts: SumCounts, tell: Callable[[SumCounts], None] | None) -> None:
        """Add to the overflows, and tell whoever wants to know."""
        self.overflowed += counts.overflowed
        if tell is not None:
            tell(counts)

    def _coded(
        self, operation: str, a: Operand | CodedOperand, b: Operand | CodedOperand, attributes: dict[str, Any]
    ) -> Accumulated:
        if any(isinstance(operand, Operand) and operand.format is None for operand in (a, b)):
            return self._float(operation, a, b, attributes)
        dtype = np.float64 if self.integers else np.float32
        result = run_coded(self._spec(), operation, a, b, attributes, dtype)
        if result.reason:
            if self.integers:
                raise UserError(
                    result.reason,
                    where="an accelerator whose vector unit is fixed point",
                    expected="steps that the product can leave out, or powers of two",
                    remedy="quantize this stream per tensor for that pass ([streams.'activation@weight_grad'], say)",
                )
            self.inexact[result.reason] = None
            return self._float(operation, a, b, attributes)
        self.count(operation, result.counts)
        return accumulated(result, integers=self.integers)

    def _float(
        self, operation: str, a: Operand | CodedOperand, b: Operand | CodedOperand, attributes: dict[str, Any]
    ) -> Accumulated:
        function = getattr(mac, operation + "_float")
        return Accumulated(function(_as_float(a), _as_float(b), **attributes), None)


class _Unfinished:
    """A result that idle threads may still be working on, and who is to be told what happened."""

    def __init__(self, array: MacArray, result: mac.MacResult) -> None:
        self.array, self.result = array, result
        self.tell = array.witness() if array.witness is not None else None

    @property
    def is_done(self) -> bool:
        """Whether nobody works on it any more."""
        return self.result is None or self.result.unfinished is None or self.result.unfinished.is_done

    def finish(self) -> None:
        """Finish the result and enter what happened, once."""
        if self.result is not None:
            result, self.result = self.result, None
            self.array.enter(SumCounts.of(result.finished()), self.tell)


def _as_float(operand: Operand | CodedOperand) -> np.ndarray:
    """Codes of at most 24 bits are exact in binary32; longer ones, and decoded values, are rounded."""
    if isinstance(operand, CodedOperand):
        return operand.values().astype(np.float32)
    if operand.format is None:
        return operand.codes
    return np.ldexp(operand.codes.astype(np.float32), -operand.format.frac_bits).astype(np.float32)
