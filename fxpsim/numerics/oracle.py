"""The specification: rounding, overflow, cast and accumulation in plain Python integers and fractions.

Nothing here is fast and nothing here is clever. Every kernel is tested for equality with these functions.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor

from fxpsim.errors import UserError
from fxpsim.numerics.formats import FixedFormat
from fxpsim.numerics.overflow import Flavor, Overflow
from fxpsim.numerics.rounding import Rounding

HALF = Fraction(1, 2)


def round_fraction(value: Fraction | int, rounding: Rounding, noise: int = 0) -> int:
    """Round an exact value to a whole number.

    Parameters
    ----------
    value : Fraction or int
        The value in units in the last place of the target.
    rounding : Rounding
        The mode.
    noise : int
        A random word of 32 bits, for the stochastic modes.

    Examples
    --------
    >>> [round_fraction(Fraction(v, 2), Rounding.HALF_EVEN) for v in (-3, -1, 1, 3)]
    [-2, 0, 0, 2]
    """
    low, high = floor(value), ceil(value)
    part = value - low  # 0 <= part < 1
    negative = value < 0
    match Rounding(rounding):
        case Rounding.FLOOR:
            return low
        case Rounding.CEIL:
            return high
        case Rounding.TOWARD_ZERO:
            return high if negative else low
        case Rounding.AWAY_FROM_ZERO:
            return low if negative else high
        case Rounding.HALF_UP:
            return high if part >= HALF else low
        case Rounding.HALF_DOWN:
            return high if part > HALF else low
        case Rounding.HALF_TOWARD_ZERO:
            return high if part > HALF or (part == HALF and negative) else low
        case Rounding.HALF_AWAY:
            return high if part > HALF or (part == HALF and not negative) else low
        case Rounding.HALF_EVEN:
            return high if part > HALF or (part == HALF and low % 2 == 1) else low
        case Rounding.HALF_ODD:
            return high if part > HALF or (part == HALF and low % 2 == 0) else low
        case Rounding.JAM:
            return low | 1
        case Rounding.JAM_UNBIASED:
            return low | 1 if part else low
        case Rounding.STOCHASTIC:
            # an adder of 32 random bits below the last place: the carry rounds up
            return low + floor(part + Fraction(noise, 1 << 32))
        case Rounding.STOCHASTIC_EQUAL:
            return high if noise >> 31 else low


def bring_into_range(
    code: int,
    fmt: FixedFormat,
    overflow: Overflow,
    *,
    overflow_bits: int = 0,
    flavor: Flavor = Flavor.SYSTEMC,
    before_rounding: Fraction | None = None,
) -> int:
    """Bring a rounded code of any size into the range of ``fmt``.

    Parameters
    ----------
    code : int
        The rounded code.
    fmt : FixedFormat
        The target.
    overflow : Overflow
        The mode.
    overflow_bits : int
        Leading bits that saturate when the others wrap (SystemC's ``n_bits``); more than the word counts as the word.
    flavor : Flavor
        Whose corners.
    before_rounding : Fraction, optional
        The value before rounding, which ``wrap_sign_magnitude`` of the ``ap`` flavor looks at.

    Examples
    --------
    >>> s4 = FixedFormat(word_bits=4, frac_bits=0)
    >>> [bring_into_range(9, s4, Overflow(o)) for o in ("saturate", "saturate_zero", "wrap", "wrap_sign_magnitude")]
    [7, 0, -7, 6]
    """
    low, high = fmt.min_code, fmt.max_code
    overflow = Overflow(overflow)
    one_bit_kept = fmt.word_bits == 1 and flavor is not Flavor.SYSTEMC
    if overflow is Overflow.SATURATE_SYMMETRIC and fmt.signed and not one_bit_kept:
        low = -high
    if low <= code <= high:
        return code
    match overflow:
        case Overflow.SATURATE | Overflow.SATURATE_SYMMETRIC:
            return low if code < low else high
        case Overflow.SATURATE_ZERO:
            return 0
        case Overflow.RAISE:
            raise UserError(
                f"code {code} is outside [{low}, {high}]",
                where=f"cast to {fmt}",
                expected="values that the format holds",
                remedy="use a wider format or another overflow mode",
            )
        case Overflow.WRAP:
            return _wrap(code, fmt, overflow_bits, flavor)
        case Overflow.WRAP_SIGN_MAGNITUDE:
            deleted = floor(before_rounding) if flavor is Flavor.AP and before_rounding is not None else code
            return _wrap_sign_magnitude(code, fmt, overflow_bits, deleted)


def _as_word(bits: int, fmt: FixedFormat) -> int:
    """Read the low ``word_bits`` bits as a code of ``fmt``."""
    bits &= (1 << fmt.word_bits) - 1
    return bits - (1 << fmt.word_bits) if fmt.signed and bits >> (fmt.word_bits - 1) else bits


def _saturate_leading(bits: int, fmt: FixedFormat, count: int, ones: bool) -> int:
    """Replace the leading ``count`` bits: a sign and its complements if signed, all alike if unsigned."""
    word = fmt.word_bits
    keep = bits & ((1 << (word - count)) - 1)
    lead = (1 << count) - 1
    if fmt.signed:
        lead = 1 << (count - 1) if ones else lead >> 1
    elif not ones:
        lead = 0
    return keep | (lead << (word - count))


def _wrap(code: int, fmt: FixedFormat, overflow_bits: int, flavor: Flavor) -> int:
    count = min(overflow_bits, fmt.word_bits)
    if count == 0:
        return _as_word(code, fmt)
    negative = code < 0
    ones = negative if fmt.signed else (not negative or flavor is Flavor.AP)
    return _as_word(_saturate_leading(code, fmt, count, ones), fmt)


def _wrap_sign_magnitude(code: int, fmt: FixedFormat, overflow_bits: int, deleted: int) -> int:
    word, negative = fmt.word_bits, code < 0
    count = min(overflow_bits, word)
    bits = code & ((1 << word) - 1)
    if count == 0:
        # continuous: every second period of the wrapped curve is mirrored
        invert = (deleted >> word) & 1 != bits >> (word - 1)
    elif count == 1:
        invert = (bits >> (word - 1)) != negative
    else:
        invert = (bits >> (word - count)) & 1 == negative
    if invert:
        bits ^= (1 << word) - 1
    if count >= 2:
        bits = _saturate_leading(bits, fmt, count, negative)
    return _as_word(bits, fmt)


def cast(
    value: Fraction | float,
    fmt: FixedFormat,
    rounding: Rounding,
    overflow: Overflow,
    *,
    overflow_bits: int = 0,
    noise: int = 0,
    flavor: Flavor = Flavor.SYSTEMC,
) -> int:
    """Return the code of an exact value: rounded first, brought into range second.

    Examples
    --------
    >>> cast(0.49999999999999994, FixedFormat(word_bits=8, frac_bits=0), Rounding.HALF_UP, Overflow.SATURATE)
    0
    """
    scaled = Fraction(value) * Fraction(2) ** fmt.frac_bits
    code = round_fraction(scaled, rounding, noise)
    return bring_into_range(
        code, fmt, Overflow(overflow), overflow_bits=overflow_bits, flavor=Flavor(flavor), before_rounding=scaled
    )


def accumulate(
    products: Sequence[int],
    shift: int,
    fmt: FixedFormat,
    rounding: Rounding,
    overflow: Overflow,
    *,
    order: str = "sequential",
    chunk: int = 1,
    noise: Sequence[int] = (),
) -> int:
    """Add products in an accumulator, as the MAC array does.

    Parameters
    ----------
    products : sequence of int
        Exact products of codes, in the order of K.
    shift : int
        Fractional bits that a product has more than the accumulator (negative: fewer).
    fmt : FixedFormat
        The accumulator.
    rounding : Rounding
        Of each product to the accumulator's fractional bits.
    overflow : Overflow
        Of the running sum, after each product or after each chunk.
    order : str
        ``sequential`` or ``chunked``.
    chunk : int
        Products that the adder tree sums exactly before they are added, for ``chunked``.
    noise : sequence of int
        A random word for each product, for the stochastic modes.

    Examples
    --------
    >>> s8 = FixedFormat(word_bits=8, frac_bits=0)
    >>> accumulate([100, 100, -100], 0, s8, Rounding.FLOOR, Overflow.SATURATE)
    27
    """
    size = 1 if order == "sequential" else chunk
    total = 0
    for begin in range(0, len(products), size):
        for k in range(begin, min(begin + size, len(products))):
            exact = Fraction(products[k]) / Fraction(2) ** shift
            total += round_fraction(exact, rounding, noise[k] if noise else 0)
        total = bring_into_range(total, fmt, Overflow(overflow))
    return total
