r"""Exact products of codes with a floating exponent for every block: sums of integers at common binary points.

An element is :math:`c \, 2^e`. Exponents of an operand are cut into windows of w places; within a window the codes are
shifted to its lowest place. For windows of v and w places, codes of p and q bits and sums of K products

.. math:: (p + v - 1) + (q + w - 1) + \lceil \log_2 K \rceil \le 53

keeps every sum an exact integer below 2^53. Mostly one window of each operand is enough, and the sums are the result.
Where the second operand is short then, a long first one is cut into upper and lower bits, whose sums stay below 2^31:
two products in short integers take less time than one in binary64. The sums of several windows are added from the
highest down in two words of binary64 and rounded to odd, so that a later rounding to binary32 is the only one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from fxpsim.kernels.coding.aligning import Span, View, aligned, span_of, split, view_of
from fxpsim.kernels.coding.reading import scaled
from fxpsim.units.coded import CodedOperand
from fxpsim.units.lines import EXACT, integer_sums
from fxpsim.units.raw_codes import WORD, terms_of

FRAME_BITS = 53


def exact_sums(
    operation: str, a: CodedOperand, b: CodedOperand, attributes: dict[str, Any], dtype: Any = np.float64
) -> np.ndarray:
    """Return the products' sums, each exact until it is rounded to odd in binary64, then rounded to ``dtype``."""
    left, right = _placed(a), _placed(b)
    if left is None or right is None:  # an operand of zeros
        sums = _run(operation, a.codes * 0, b.codes * 0, 1, 1, attributes)
        return sums.astype(dtype)
    terms = max(terms_of(operation, a, b, attributes), 1)
    room = FRAME_BITS - math.ceil(math.log2(terms)) - sum(p.span.largest.bit_length() for p in (left, right)) + 2
    if left.width + right.width <= room:
        sums = _halves(operation, left, right, attributes, terms)
        return scaled(sums[0], left.span.least + right.span.least, dtype, *sums[1:])
    widths = _widths(left.width - 1, right.width - 1, room)
    parts = []
    for low_a, high in left.windows(widths[0]):
        for low_b, other in right.windows(widths[1]):
            bounds = left.span.largest << (widths[0] - 1), right.span.largest << (widths[1] - 1)
            parts.append((low_a + low_b, _run(operation, high, other, *bounds, attributes)))
    parts.sort(key=lambda part: -part[0])
    return _added([np.ldexp(sums.astype(np.float64), exponent) for exponent, sums in parts]).astype(dtype)


@dataclass(slots=True)
class Placed:
    """Codes with an exponent per block, and which of them occur; ``view`` is None where no kernel sees the blocks."""

    operand: CodedOperand
    view: View | None
    span: Span

    @property
    def width(self) -> int:
        """How many exponents there are from the least to the largest."""
        return self.span.most - self.span.least + 1

    @property
    def bound(self) -> int:
        """The largest magnitude at the least exponent's place, at most."""
        return self.span.largest << (self.width - 1)

    def moved(self, low: int, width: int) -> np.ndarray:
        """Return the codes of a window of exponents at its lowest place, zero elsewhere."""
        codes, exponents = self.operand.codes, self.operand.exponents
        if self.view is not None:
            return aligned(codes, exponents, self.view, self.span, (low, low + width - 1))
        above = np.broadcast_to(exponents, codes.shape) - low
        inside = (above >= 0) & (above < width)
        return np.where(inside, codes.astype(np.int64) << np.where(inside, above, 0), 0)

    def windows(self, width: int) -> list[tuple[int, np.ndarray]]:
        """Return the places of all windows that hold anything, and their codes."""
        places = range(self.span.least, self.span.most + 1, width)
        moved = ((low, self.moved(low, width)) for low in places)
        return [(low, codes) for low, codes in moved if codes.any()]


def _placed(operand: CodedOperand) -> Placed | None:
    """Return the codes and the span of their exponents; None if all are zero."""
    shape = operand.shape
    if not operand.codes.size:
        return None
    cut = operand.cut or tuple(1 if m == n else n for m, n in zip(operand.step.shape, shape, strict=True))
    view = view_of(shape, cut)
    if view is not None and operand.codes.dtype.itemsize <= 2 and operand.step.size == math.prod(view.blocks):
        span = span_of(operand.codes, operand.exponents, view)
        return None if span is None else Placed(operand, view, span)
    operand = operand.spread
    used = operand.codes != 0
    if not used.any():
        return None
    exponents = np.broadcast_to(operand.exponents, shape)
    far = 1 << 20
    least, most = int(exponents.min(where=used, initial=far)), int(exponents.max(where=used, initial=-far))
    return Placed(operand, None, Span(least, most, operand.bound))


def _halves(operation: str, a: Placed, b: Placed, attributes: dict[str, Any], terms: int) -> tuple[Any, ...]:
    """Return the sums over whole spans: one array, or the sums of the upper bits, of the lower ones and the place.

    Codes of the first operand that are longer than 16 bits would need binary64. Cut in two, either half takes a lane of
    short integers if its sums, by the largest magnitudes, stay below 2^31.
    """
    other = b.moved(b.span.least, b.width)
    low_bits = min(15, ((WORD.max_code // (terms * b.bound)) + 1).bit_length() - 1)
    whole = a.bound.bit_length()
    if a.view is None or whole < 16 or b.bound >= 1 << 15 or low_bits < 1 or whole - low_bits > 15:
        return (_run(operation, a.moved(a.span.least, a.width), other, a.bound, b.bound, attributes, terms),)
    high, low = split(a.operand.codes, a.operand.exponents, a.view, a.span, low_bits)
    above = _run(operation, high, other, (a.bound >> low_bits) + 1, b.bound, attributes, terms)
    return above, _run(operation, low, other, (1 << low_bits) - 1, b.bound, attributes, terms), low_bits


def _run(
    operation: str, a: np.ndarray, b: np.ndarray, of_a: int, of_b: int, attributes: dict[str, Any], terms: int = 0
) -> np.ndarray:
    """Return exact sums, in 32 bits where ``terms`` products of the bounds are known to fit."""
    spec = WORD if 0 < terms * of_a * of_b <= WORD.max_code else EXACT
    return integer_sums(spec, operation, a, b, (of_a, of_b), attributes).codes


def _widths(of_a: int, of_b: int, room: int) -> tuple[int, int]:
    """Return the widths of the windows that need the fewest products, for spreads of exponents of both operands.

    >>> _widths(5, 4, 24), _widths(30, 4, 24)
    ((6, 18), (16, 8))
    """

    def products(width: int) -> tuple[int, int]:
        return -(-(of_a + 1) // width) * -(-(of_b + 1) // (room - width)), width

    _, best = min(products(width) for width in range(1, room))
    return best, room - best


def _added(parts: list[np.ndarray]) -> np.ndarray:
    """Add arrays in two words of binary64 and round the sum to odd."""
    high = parts[0]
    if len(parts) == 1:
        return high
    low = np.zeros_like(high)
    for part in parts[1:]:
        total = high + part
        back = total - high
        low += (high - (total - back)) + (part - back)
        high = total
    total = high + low
    rest = low - (total - high)
    even = (total.view(np.int64) & 1) == 0
    toward = np.copysign(np.inf, rest)
    return np.where((rest != 0) & even, np.nextafter(total, toward), total)
