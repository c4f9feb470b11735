r"""Exact products of codes with a floating exponent for every block: sums of integers at common binary points.

An element is :math:`c \, 2^e`. Exponents of an operand are cut into windows of w places; within a window the codes are
shifted to its lowest place. For windows of v and w places, codes of p and q bits and sums of K products

.. math:: (p + v - 1) + (q + w - 1) + \lceil \log_2 K \rceil \le 53

keeps every sum an exact integer below 2^53. The windows' sums are added from the highest down in two words of
binary64 and rounded to odd, so that a later rounding to binary32 is the only one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fxpsim.kernels import mac
from fxpsim.numerics import Overflow
from fxpsim.units.coded import BOUND_NAMES, CodedOperand

EXACT = mac.MacSpec(word_bits=64, overflow=Overflow.WRAP)
FRAME_BITS = 53


def exact_sums(operation: str, a: CodedOperand, b: CodedOperand, attributes: dict[str, Any]) -> np.ndarray:
    """Return the products' sums, each exact until it is rounded to odd in binary64."""
    left, right = _places(a), _places(b)
    if left is None or right is None:  # an operand of zeros
        sums = _run(operation, a.codes * 0, b.codes * 0, 1, 1, attributes)
        return sums.astype(np.float64)
    terms = math.ceil(math.log2(_terms(operation, a, b, attributes))) if a.codes.size else 0
    room = FRAME_BITS - terms - a.bound.bit_length() - b.bound.bit_length() + 2
    widths = _widths(left[1], right[1], room)
    parts = []
    for high, low_a in _windows(a.codes, left, widths[0]):
        for other, low_b in _windows(b.codes, right, widths[1]):
            bounds = a.bound << (widths[0] - 1), b.bound << (widths[1] - 1)
            parts.append((low_a + low_b, _run(operation, high, other, *bounds, attributes)))
    parts.sort(key=lambda part: -part[0])
    return _added([np.ldexp(sums.astype(np.float64), exponent) for exponent, sums in parts])


def _run(operation: str, a: np.ndarray, b: np.ndarray, of_a: int, of_b: int, attributes: dict[str, Any]) -> np.ndarray:
    bounds = dict(zip(BOUND_NAMES[operation], (of_a, of_b), strict=True))
    return getattr(mac, operation)(a, b, EXACT, **attributes, **bounds).codes


def _places(operand: CodedOperand) -> tuple[np.ndarray, int, int] | None:
    """Return how far each element's exponent lies above the least, the largest of these, and the least exponent."""
    used = operand.codes != 0
    if not used.any():
        return None
    exponents = np.broadcast_to(operand.exponents, operand.shape)
    least = int(exponents.min(where=used, initial=1 << 20))
    places = np.where(used, exponents - least, 0)
    return places, int(places.max()), least


def _widths(of_a: int, of_b: int, room: int) -> tuple[int, int]:
    """Return the widths of the windows that need the fewest products, for spreads of exponents of both operands.

    >>> _widths(5, 4, 24), _widths(30, 4, 24)
    ((6, 18), (16, 8))
    """

    def products(width: int) -> tuple[int, int]:
        return -(-(of_a + 1) // width) * -(-(of_b + 1) // (room - width)), width

    _, best = min(products(width) for width in range(1, room))
    return best, room - best


def _windows(codes: np.ndarray, places: tuple[np.ndarray, int, int], width: int) -> list[tuple[np.ndarray, int]]:
    above, highest, least = places
    wide = codes.astype(np.int64)
    found = []
    for low in range(0, highest + 1, width):
        inside = (above >= low) & (above < low + width)
        shifted = np.where(inside, wide << np.where(inside, above - low, 0), 0)
        if shifted.any():
            found.append((shifted, least + low))
    return found


def _terms(operation: str, a: CodedOperand, b: CodedOperand, attributes: dict[str, Any]) -> int:
    """Return the number of products of a sum, at most."""
    match operation:
        case "matmul":
            return a.shape[0] if attributes.get("transpose_a") else a.shape[1]
        case "conv2d":
            return math.prod(b.shape[:3])
        case "conv2d_input_grad":
            return b.shape[0] * b.shape[1] * b.shape[3]
    return math.prod(b.shape[:3])


def _added(parts: list[np.ndarray]) -> np.ndarray:
    """Add arrays in two words of binary64 and round the sum to odd."""
    high = parts[0]
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
