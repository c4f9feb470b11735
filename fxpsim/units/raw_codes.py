r"""Products of bytes whose zero points stay in the codes, and the reading that takes them away again.

A zero point subtracted from 8-bit codes makes 9-bit ones, for which the array's kernels need lanes of 16 bits. The
product of the raw bytes takes the 8-bit lane; with the sums :math:`A = \sum p`, :math:`B = \sum q` over the C products
of a result (none in the padding)

.. math:: \sum (p - z)(q - y) = \sum p q - y A - z B + z y C

in integers. A byte of the second operand that is no signed byte is moved by 128, and so is its zero point. This is the
accumulator's own result if no prefix of its sum can leave its range, whatever the order, and products are not rounded:
``terms * bound * bound`` decides. Otherwise the zero points are taken off the codes and the accumulator does what it
does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fxpsim.kernels import mac
from fxpsim.kernels.coding.reading import Corrections, read_sums
from fxpsim.numerics import Overflow
from fxpsim.units.coded import CodedOperand
from fxpsim.units.lines import EXACT, Line, integer_sums

WORD = mac.MacSpec(word_bits=32, overflow=Overflow.WRAP)
HALF = 128


@dataclass(slots=True)
class Sums:
    """Sums of raw products, of the codes of both operands beside them, and how many products there are."""

    products: np.ndarray
    of_a: np.ndarray
    of_b: np.ndarray
    counts: np.ndarray


def terms_of(operation: str, a: CodedOperand, b: CodedOperand, attributes: dict[str, Any]) -> int:
    """Return the number of products of a sum, at most."""
    match operation:
        case "matmul":
            return a.shape[0] if attributes.get("transpose_a") else a.shape[1]
        case "conv2d":
            return math.prod(b.shape[:3])
        case "conv2d_input_grad":
            return b.shape[0] * b.shape[1] * b.shape[3]
    return math.prod(b.shape[:3])


def raw_product(
    spec: mac.MacSpec, operation: str, a: CodedOperand, b: CodedOperand, attributes: dict[str, Any]
) -> tuple[mac.MacResult, CodedOperand, CodedOperand]:
    """Return the product of the codes, and the operands whose zero points it still contains."""
    terms = terms_of(operation, a, b, attributes)
    reach = max(terms, 1) * a.bound * b.bound
    if spec.rounds or not spec.signed or reach > spec.max_code:
        a, b = a.plain(), b.plain()
        return integer_sums(spec, operation, a.codes, b.codes, (a.bound, b.bound), attributes), a, b
    a, b = _first(a), _second(b)
    bounds = _raw_bound(a), _raw_bound(b)
    exact = WORD if terms * bounds[0] * bounds[1] < 1 << 31 else EXACT
    return integer_sums(exact, operation, a.codes, b.codes, bounds, attributes), a, b


def read(sums: Sums, zeros: tuple[int, int], left: Line, right: Line, unit: float, dtype: Any) -> np.ndarray:
    """Return the values of sums of raw codes, as :mod:`fxpsim.kernels.coding.reading` defines them.

    ``unit`` is what a product counts for in the accumulator, whose products may have dropped bits.
    """
    shape = sums.products.shape
    positions = math.prod(shape[1:-1])
    if not _kept_apart(sums, left, right):
        return _read(sums, zeros, left, right, unit).astype(dtype, copy=False)
    corrections = Corrections(
        sums.of_a.reshape(len(sums.of_a), -1),
        sums.of_b.reshape(-1, sums.of_b.shape[-1]),
        sums.counts.reshape(-1),
        *zeros,
    )
    lines = [line.reshape(-1) for line in (left.step * unit, left.step, left.offset)]
    columns = [np.broadcast_to(line.reshape(-1), shape[-1]) for line in (right.step, right.offset)]
    raw = sums.products.reshape(shape[0], positions, shape[-1])
    return read_sums(raw, corrections, lines, columns, dtype).reshape(shape)


def _kept_apart(sums: Sums, left: Line, right: Line) -> bool:
    """Return whether the first operand's readings vary along the first axis alone, the second's along the last."""
    rows = all(line.size == len(line) for line in (left.step, left.offset))
    columns = all(line.size == line.shape[-1] for line in (right.step, right.offset))
    return (
        rows
        and columns
        and sums.of_a.shape[-1] == 1
        and len(sums.of_b) == 1
        and sums.counts.size == math.prod(sums.counts.shape[1:-1])
    )


def _read(sums: Sums, zeros: tuple[int, int], left: Line, right: Line, unit: float) -> np.ndarray:
    """Do the same in NumPy, for any shapes."""
    of_first, of_second = zeros
    moved = of_first * of_second * sums.counts - of_second * sums.of_a - of_first * sums.of_b
    y = (sums.products + moved) * (left.step * unit) * right.step
    if right.offset.any():
        y += ((sums.of_a - of_first * sums.counts) * left.step) * right.offset
    if left.offset.any():
        y += left.offset * ((sums.of_b - of_second * sums.counts) * right.step)
        if right.offset.any():
            y += sums.counts * (left.offset * right.offset)
    return y


def _first(a: CodedOperand) -> CodedOperand:
    return a.plain() if a.codes.dtype != np.uint8 else a


def _second(b: CodedOperand) -> CodedOperand:
    """Return the operand in signed bytes."""
    if b.codes.dtype != np.uint8:
        return b.plain()
    if b.word_bits < 8:
        return replace(b, codes=b.codes.view(np.int8))
    return replace(b, codes=(b.codes ^ np.uint8(HALF)).view(np.int8), zero=b.zero - HALF)


def _raw_bound(operand: CodedOperand) -> int:
    if operand.codes.dtype == np.uint8:
        return (1 << min(operand.word_bits, 8)) - 1
    return HALF if operand.codes.dtype == np.int8 else operand.bound
