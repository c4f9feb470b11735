"""Rounding of products in vector registers: a few short formulas whose numbers are arguments.

Let p be a product, s the bits to drop and ``d = p + offset``. Every deterministic rounding is one of

    plain    d >> s
    signed   (d + (step if d < offset)) >> s         another offset for negative products
    even     (d >> s) + (1 if d & keep != 0)         d = p - half: ties to an even code are multiples of 2^(s+1)
    odd      (d >> s) - (1 if d & keep == 0)         d = p + half: so are ties that would be rounded up to even
    sticky   (p >> s) | (1 if p & keep != 0)
    set      (p >> s) | 1

with arithmetic shifts. A kernel is compiled per formula; the numbers, and so the shift, are given to it. One dot
product makes d where the processor has it. The 1 is a number, too: LLVM turns the choice between a vector and the same
plus a constant 1 into two instructions, but makes one masked addition if it does not know the 1.

``half_even`` also comes out of one fused multiply-add of floats, if the rounded products are not too large; see
:func:`nearest_product`.
"""

from typing import Any

from llvmlite import ir

from fxpsim.kernels.mac.ir_tools import I32, I64, address, call, load
from fxpsim.numerics import Rounding

LARGEST_SHIFT = 30
NEAREST_OPERAND = 1 << 24  # what :func:`nearest_product` takes, in magnitude: binary32 holds every code up to here,
NEAREST_PRODUCT = 1 << 22  # and the floats beside the anchor so many multiples to either side

Numbers = tuple[int, int, int, int]


def formula(rounding: Rounding, shift: int) -> tuple[str, Numbers]:
    """Return the formula of a rounding and its numbers (shift, offset, step or keep, 1).

    Parameters
    ----------
    rounding : Rounding
        Not stochastic.
    shift : int
        Bits to drop, up to ``LARGEST_SHIFT``; at least 1 except for ``jam``.

    Examples
    --------
    >>> formula(Rounding.HALF_UP, 8)
    ('plain', (8, 128, 0, 1))
    """
    half, mask = (1 << shift) >> 1, (1 << shift) - 1
    keep = 2 * mask + 1
    match rounding:
        case Rounding.FLOOR:
            return "plain", (shift, 0, 0, 1)
        case Rounding.CEIL:
            return "plain", (shift, mask, 0, 1)
        case Rounding.HALF_UP:
            return "plain", (shift, half, 0, 1)
        case Rounding.HALF_DOWN:
            return "plain", (shift, half - 1, 0, 1)
        case Rounding.TOWARD_ZERO:
            return "signed", (shift, 0, mask, 1)
        case Rounding.AWAY_FROM_ZERO:
            return "signed", (shift, mask, -mask, 1)
        case Rounding.HALF_TOWARD_ZERO:
            return "signed", (shift, half - 1, 1, 1)
        case Rounding.HALF_AWAY:
            return "signed", (shift, half, -1, 1)
        case Rounding.HALF_EVEN:
            return "even", (shift, -half, keep, 1)
        case Rounding.HALF_ODD:
            return "odd", (shift, half, keep, 1)
        case Rounding.JAM:
            return "set", (shift, 0, 0, 1)
        case Rounding.JAM_UNBIASED:
            return "sticky", (shift, 0, mask, 1)
        case _:
            raise AssertionError(f"{rounding} needs random words")


def nearest_anchor(shift: int) -> int:
    """Return the bits of ``1.5 * 2^(23 + shift)``, in binary32: its neighbors are ``2^shift`` away."""
    return (150 + shift) << 23 | 1 << 22


def nearest_product(builder: Any, a: Any, b: Any, anchor: Any, *, negated: bool = False) -> Any:
    """Write ``anchor + round(a * b / 2^shift)``, halves to even: one fused multiply-add of binary32.

    The sum of a product and the anchor is rounded once, to a multiple of 2^shift, and the anchor is an even one.
    Floats of one exponent, read as integers, count these multiples. So the result is the anchor's bits plus the
    rounded product, as long as that is at most 2^22 in magnitude. ``negated`` is ``anchor - round(...)``.
    """
    kind = a.type
    factor = builder.fneg(a) if negated else a
    rounded = call(builder, f"llvm.fma.v{kind.count}f32", kind, factor, b, builder.bitcast(anchor, kind))
    return builder.bitcast(rounded, anchor.type)


def load_numbers(builder: Any, at: Any) -> list[Any]:
    """Load the numbers of a formula, as 32-bit scalars."""
    return [load(builder, address(builder, at, (I64(i), 4)), I32) for i in range(4)]


def write_rounding(builder: Any, kind: str, shifted: Any, numbers: list[Any]) -> Any:
    """Write the formula for a vector of products that have got their offset; the numbers are vectors, too."""
    shift, offset, number, one = numbers

    def constant(value: int) -> Any:
        return ir.Constant(shifted.type, [value] * shifted.type.count)

    if kind == "signed":
        negative = builder.icmp_signed("<", shifted, offset)
        shifted = builder.select(negative, builder.add(shifted, number), shifted)
    low = builder.ashr(shifted, shift)
    if kind == "set":
        return builder.or_(low, constant(1))
    if kind in ("plain", "signed"):
        return low
    compare = "==" if kind == "odd" else "!="
    chosen = builder.icmp_unsigned(compare, builder.and_(shifted, number), constant(0))
    if kind == "sticky":
        return builder.select(chosen, builder.or_(low, one), low)
    return builder.select(chosen, builder.add(low, one) if kind == "even" else builder.sub(low, one), low)
