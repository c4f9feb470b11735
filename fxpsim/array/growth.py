"""Formats of exact results: as wide as every result needs, and no wider rule than the operands' formats.

With I = W - F (the sign counted) and F the fractional bits, as in ``ap_fixed`` (AMD UG1399,
"Arbitrary precision fixed-point types", binary operators):

=============== ================================================== ================================
operation       word                                               signed
=============== ================================================== ================================
``a + b``       max(I1, I2) + 1 + F, F = max(F1, F2); an unsigned  if either is
                operand first gains a bit if the other is signed
``a - b``       as ``a + b``                                       always
``a * b``       W1 + W2, F1 + F2                                   if either is
``-a``          W + 1                                              always
``abs(a)``      W                                                  never
``a.sum()``     W + ceil(log2 n), F                                as ``a``
``a @ b``       W1 + W2 + ceil(log2 K), F1 + F2                    if either is
``a << n``      W, F - n: the point moves, no bit is lost          as ``a``
=============== ================================================== ================================
"""

from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat
from fxpsim.numerics.formats import MAX_WORD_BITS


def exact_format(word_bits: int, frac_bits: int, signed: bool, operation: str) -> FixedFormat:
    """Return the format of an exact result, or refuse it when it is longer than a word can be."""
    if word_bits > MAX_WORD_BITS:
        raise UserError(
            f"the exact result of {operation} needs {word_bits} bits",
            where=operation,
            expected=f"at most {MAX_WORD_BITS} bits",
            remedy="cast an operand to a shorter word, or round in the operation: multiply(a, b, format), "
            "matmul(a, b, accumulator=...)",
        )
    return FixedFormat(word_bits=word_bits, frac_bits=frac_bits, signed=signed)


def _before_point(fmt: FixedFormat, other: FixedFormat) -> int:
    return fmt.word_bits - fmt.frac_bits + (other.signed and not fmt.signed)


def sum_format(a: FixedFormat, b: FixedFormat, *, difference: bool = False) -> FixedFormat:
    """Return the format of ``a + b`` or ``a - b``.

    >>> s8, u8 = FixedFormat(word_bits=8, frac_bits=4), FixedFormat(word_bits=8, frac_bits=6, signed=False)
    >>> str(sum_format(s8, s8)), str(sum_format(s8, u8)), str(sum_format(u8, u8, difference=True))
    ('s9f4', 's11f6', 's9f6')
    """
    frac_bits = max(a.frac_bits, b.frac_bits)
    before = max(_before_point(a, b), _before_point(b, a)) + 1
    signed = a.signed or b.signed or difference
    return exact_format(before + frac_bits, frac_bits, signed, f"{a} {'-' if difference else '+'} {b}")


def product_format(a: FixedFormat, b: FixedFormat, terms: int = 1) -> FixedFormat:
    """Return the format of a sum of ``terms`` products.

    >>> s8 = FixedFormat(word_bits=8, frac_bits=4)
    >>> str(product_format(s8, s8)), str(product_format(s8, s8, terms=100))
    ('s16f8', 's23f8')
    """
    word_bits = a.word_bits + b.word_bits + (max(terms, 1) - 1).bit_length()
    operation = f"{a} * {b}" if terms == 1 else f"a sum of {terms} products {a} * {b}"
    return exact_format(word_bits, a.frac_bits + b.frac_bits, a.signed or b.signed, operation)


def reduction_format(a: FixedFormat, terms: int) -> FixedFormat:
    """Return the format of a sum of ``terms`` values.

    >>> str(reduction_format(FixedFormat(word_bits=8, frac_bits=4), 5))
    's11f4'
    """
    word_bits = a.word_bits + (max(terms, 1) - 1).bit_length()
    return exact_format(word_bits, a.frac_bits, a.signed, f"a sum of {terms} values {a}")


def common_format(formats: list[FixedFormat]) -> FixedFormat:
    """Return the shortest format that holds every value of all ``formats``.

    >>> str(common_format([FixedFormat(word_bits=8, frac_bits=4), FixedFormat(word_bits=8, frac_bits=0, signed=False)]))
    's13f4'
    """
    signed = any(fmt.signed for fmt in formats)
    frac_bits = max(fmt.frac_bits for fmt in formats)
    before = max(fmt.word_bits - fmt.frac_bits + (signed and not fmt.signed) for fmt in formats)
    return exact_format(before + frac_bits, frac_bits, signed, "joining " + ", ".join(map(str, formats)))
