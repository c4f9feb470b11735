r"""Products of coded operands on the MAC array: exact integers as far as the steps allow, one reading behind them.

Four cases, by where the steps of an operand vary:

*Along the line that survives* (a row of the first operand, a column of the second, or nowhere): the array multiplies
codes in the accelerator's own accumulator; with :math:`P = \sum p q`, :math:`A = \sum p`, :math:`B = \sum q` and the
number C of products, all integers, a result is :math:`s t P + s r A + o t B + o r C` for steps s, t and offsets
o, r. A transform of the rows is undone at the end.

*Along the contraction, in powers of two* (blocks of floating exponent): the codes are moved to common binary points.
Exponents are cut into windows, narrow enough that every sum of a pair of windows is an exact integer below 2^53; the
sums of all pairs are added with two words of binary64, then rounded once.

*Along the samples of a sum, in a few steps* (a word length for every sample): one product as above for the samples of
each step; their readings are added (:mod:`fxpsim.units.sample_groups`).

*Along the contraction, otherwise*: no integer product exists. The operands are decoded and multiplied in binary32, and
the array remembers why (``inexact``).

The reading is in binary64, each operation rounded and in a fixed order, then rounded once to binary32; where the vector
unit has no floats, to integers at a common binary point 53 bits below the leading one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.units.coded import CodedOperand, coded
from fxpsim.units.lines import Line, integer_sums, sums_beside, surviving
from fxpsim.units.patches import matmul_of, result_of
from fxpsim.units.raw_codes import Sums, raw_product, read
from fxpsim.units.sample_groups import sample_groups
from fxpsim.units.values import Accumulated, Operand, SumCounts
from fxpsim.units.windows import exact_sums

INTEGER_BITS = 53


@dataclass(slots=True)
class CodedResult:
    """What a product of coded operands gives: values, what its accumulators did, and why it is not exact."""

    values: np.ndarray
    counts: SumCounts = field(default_factory=SumCounts)
    reason: str = ""
    codes: Accumulated | None = None

    @property
    def overflowed(self) -> int:
        """How many visits to the overflow logic found a sum out of range."""
        return self.counts.overflowed


def run_coded(
    spec: mac.MacSpec,
    operation: str,
    a: Operand | CodedOperand,
    b: Operand | CodedOperand,
    attributes: dict[str, Any],
    dtype: Any = np.float64,
) -> CodedResult:
    """Run an operation of the MAC array on operands of which one at least is coded; values are rounded to ``dtype``."""
    first, second = coded(a), coded(b)
    if first.products is not None or second.products is not None:
        return _by_rule(operation, first, second, attributes)
    lines = surviving(operation, first, second, attributes)
    if lines is not None:
        return _by_lines(spec, operation, first, second, lines, attributes, dtype)
    if first.shifts and second.shifts and first.transform is None and second.transform is None:
        return CodedResult(exact_sums(operation, first.plain(), second.plain(), attributes, dtype))
    groups = sample_groups(operation, first, second, attributes)
    if groups is not None:
        return _by_groups(spec, operation, groups, attributes)
    return CodedResult(
        np.empty(0), reason=f"steps of an operand of {operation} vary along its sums: computed in float32"
    )


def accumulated(result: CodedResult, *, integers: bool) -> Accumulated:
    """Return a result as the vector unit takes it: codes at a common binary point, or binary32."""
    if result.codes is not None:
        return result.codes
    if not integers:
        return Accumulated(result.values.astype(np.float32, copy=False), None, overflowed=result.overflowed)
    largest = float(np.abs(result.values).max(initial=0))
    frac_bits = INTEGER_BITS - math.frexp(largest)[1] if largest else 0
    codes = np.rint(np.ldexp(result.values, frac_bits)).astype(np.int64)
    return Accumulated(codes, frac_bits, int(np.abs(codes).max(initial=0)), result.overflowed)


def _by_lines(
    spec: mac.MacSpec,
    operation: str,
    a: CodedOperand,
    b: CodedOperand,
    lines: tuple[Line, Line],
    attributes: dict[str, Any],
    dtype: Any,
) -> CodedResult:
    left, right = lines
    if left.step.size == right.step.size == 1 and a.transform is None and a.shifts and b.shifts:
        a, b = a.plain(), b.plain()
        product = integer_sums(spec, operation, a.codes, b.codes, (a.bound, b.bound), attributes)
        frac_bits = -int(a.exponents.reshape(())) - int(b.exponents.reshape(())) - spec.product_shift
        sums = Accumulated(product.codes, frac_bits, product.max_abs, product.overflowed)
        return CodedResult(np.empty(0), SumCounts.of(product), codes=sums)
    product, a, b = raw_product(spec, operation, a, b, attributes)
    of_a = b.zero or right.offset.any()
    of_b = a.zero or left.offset.any()
    beside = {"a": a, "b": b, "attributes": attributes}
    zeros = np.zeros((1,) * product.codes.ndim, np.int64)
    sums = Sums(
        product.codes,
        sums_beside(operation, **beside, first=False, second=True) if of_a else zeros,
        sums_beside(operation, **beside, first=True, second=False) if of_b else zeros,
        sums_beside(operation, **beside, first=True, second=True) if of_a and of_b else zeros,
    )
    # a transform of the rows is undone before the one rounding
    wide = np.float64 if a.transform is not None else dtype
    y = read(sums, (a.zero, b.zero), left, right, math.ldexp(1.0, spec.product_shift), wide)
    if a.transform is not None:
        y = a.transform.inverse(y.reshape(len(y), -1)).reshape(y.shape)
    return CodedResult(y, SumCounts.of(product))


def _by_groups(
    spec: mac.MacSpec, operation: str, groups: list[tuple[CodedOperand, CodedOperand]], attributes: dict[str, Any]
) -> CodedResult:
    """Multiply the samples of each word length by themselves; add the readings."""
    total, counts = np.zeros(()), SumCounts()
    for a, b in groups:
        lines = surviving(operation, a, b, attributes)
        assert lines is not None, "samples of one step have a product"
        part = _by_lines(spec, operation, a, b, lines, attributes, np.float64)
        values = part.values
        if part.codes is not None:
            assert part.codes.frac_bits is not None
            values = np.ldexp(part.codes.codes.astype(np.float64), -part.codes.frac_bits)
        total, counts = total + values, counts + part.counts
    return CodedResult(total, counts)


def _by_rule(operation: str, a: CodedOperand, b: CodedOperand, attributes: dict[str, Any]) -> CodedResult:
    """Multiply by the rule of the codes themselves, as a matrix product of patches."""
    if a.products is None or b.products is None:
        raise UserError(
            "one operand has codes that multiply by a rule of their own, the other has not",
            where=operation,
            expected="the same quantizer for weight, activation and error",
            remedy="quantize all three streams logarithmically",
        )
    left, right = matmul_of(operation, a.codes, b.codes, attributes)
    sums, exponent = a.products.matmul(left, right, b.products)
    total = result_of(operation, sums, a.shape, b.shape, attributes)
    return CodedResult(np.ldexp(total.astype(np.float64), exponent))
