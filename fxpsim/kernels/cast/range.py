"""What becomes of a code outside the range of its word, on 64-bit patterns.

The specification is :func:`fxpsim.numerics.oracle.bring_into_range`.
"""

from typing import NamedTuple

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.numerics import FixedFormat, Flavor, Overflow

SATURATE, ZERO, WRAP, WRAP_SIGN_MAGNITUDE = range(4)
_RULES = {
    Overflow.SATURATE: SATURATE,
    Overflow.SATURATE_SYMMETRIC: SATURATE,  # another least code, the same rule
    Overflow.RAISE: SATURATE,  # the caller raises when the counter is not zero
    Overflow.SATURATE_ZERO: ZERO,
    Overflow.WRAP: WRAP,
    Overflow.WRAP_SIGN_MAGNITUDE: WRAP_SIGN_MAGNITUDE,
}


class Range(NamedTuple):
    """The range of a word and the rule outside it, as a kernel reads them.

    ``least`` and ``greatest`` are 64-bit patterns of the codes; ``leading`` is the number of saturated leading bits,
    ``ap`` whether AMD's corners hold.
    """

    rule: int
    word: int
    leading: int
    signed: bool
    ap: bool
    least: np.uint64
    greatest: np.uint64


def least_code(fmt: FixedFormat, overflow: Overflow, flavor: Flavor) -> int:
    """Return the least code that is not overflow."""
    kept = fmt.word_bits == 1 and flavor is not Flavor.SYSTEMC
    symmetric = overflow is Overflow.SATURATE_SYMMETRIC and fmt.signed and not kept
    return -fmt.max_code if symmetric else fmt.min_code


def make_range(fmt: FixedFormat, overflow: Overflow, overflow_bits: int, flavor: Flavor) -> Range:
    """Return the range of ``fmt`` with the rule of ``overflow``."""
    return Range(
        _RULES[overflow],
        fmt.word_bits,
        min(overflow_bits, fmt.word_bits),
        fmt.signed,
        flavor is Flavor.AP,
        np.uint64(least_code(fmt, overflow, flavor) & 0xFFFFFFFFFFFFFFFF),
        np.uint64(fmt.max_code),
    )


@kernel
def saturate_leading(bits, negative, limits):
    """Replace the leading bits of a word: the sign and its complements if signed, all alike if unsigned."""
    one = np.uint64(1)
    count = np.uint64(limits.leading)
    keep = (one << (np.uint64(limits.word) - count)) - one
    # a shift by 64 places is undefined
    lead = ~np.uint64(0) if limits.leading == 64 else (one << count) - one
    if limits.signed:
        lead = one << (count - one) if negative else lead >> one
    elif negative and not limits.ap:
        lead = np.uint64(0)
    return (bits & keep) | (lead << (np.uint64(limits.word) - count))


@kernel
def outside_code(bits, negative, deleted, limits):
    """Return the 64-bit pattern of the code that an out-of-range value becomes.

    Parameters
    ----------
    bits : uint64
        Low 64 bits of the rounded value.
    negative : bool
        Sign of the rounded value.
    deleted : bool
        The lowest bit that the word does not keep.
    limits : Range
        The word and the rule.
    """
    if limits.rule == SATURATE:
        return limits.least if negative else limits.greatest
    if limits.rule == ZERO:
        return np.uint64(0)
    one = np.uint64(1)
    mask = ~np.uint64(0) >> np.uint64(64 - limits.word)
    bits &= mask
    if limits.rule == WRAP:
        if limits.leading > 0:
            bits = saturate_leading(bits, negative, limits)
    else:
        if limits.leading == 0:
            invert = deleted != (bits >> np.uint64(limits.word - 1) != 0)
        elif limits.leading == 1:
            invert = (bits >> np.uint64(limits.word - 1) != 0) != negative
        else:
            invert = ((bits >> np.uint64(limits.word - limits.leading)) & one != 0) == negative
        if invert:
            bits ^= mask
        if limits.leading >= 2:
            bits = saturate_leading(bits, negative, limits)
    if limits.signed and bits >> np.uint64(limits.word - 1) != 0:
        bits |= ~mask
    return bits
