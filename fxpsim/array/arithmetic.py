"""Exact arithmetic on QTensors: results grow, nothing rounds and nothing overflows."""

from collections.abc import Callable
from fractions import Fraction
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array.casting import BitSource, make_noise, overflow_error
from fxpsim.array.counts import overflow_counts
from fxpsim.array.growth import exact_format, product_format, sum_format
from fxpsim.array.qtensor import QTensor
from fxpsim.array.scale import Scale
from fxpsim.errors import UserError
from fxpsim.kernels.cast import Target, cast_products, storage_dtype
from fxpsim.numerics import FixedFormat, Overflow, Rounding
from fxpsim.numerics.overflow import check_overflow

Array = NDArray[Any]


def _python_number(x: Any) -> Any:
    number: Any = x
    return number.item() if isinstance(x, (np.integer, np.floating, np.bool_)) else number


def as_operand(x: Any, other: QTensor | None = None) -> QTensor:
    """Return ``x`` as a QTensor: a Python number takes the shortest format that holds it exactly.

    Raises
    ------
    UserError
        For arrays without a format and numbers that no word of 64 bits holds.

    Examples
    --------
    >>> str(as_operand(3).format), str(as_operand(-0.75).format)
    ('u2f0', 's3f2')
    """
    if isinstance(x, QTensor):
        return x
    number = _python_number(x)
    if isinstance(number, (int, float)) and isfinite(number):
        exact = Fraction(number)
        frac_bits = exact.denominator.bit_length() - 1
        signed = exact < 0
        magnitude = -exact.numerator - 1 if signed else exact.numerator
        word_bits = max(magnitude.bit_length() + signed, 1)
        fmt = exact_format(word_bits, frac_bits, signed, f"the constant {number}")
        return QTensor(np.array(exact.numerator, dtype=storage_dtype(word_bits, signed)), fmt)
    raise UserError(
        f"operand of {type(x)} has no fixed-point format",
        where="arithmetic" if other is None else f"arithmetic with {other.format}",
        expected="a QTensor or a finite Python number",
        remedy="cast(x, format) gives it one; np.asarray(q) gives the values of a QTensor",
    )


def require_plain(a: QTensor, b: QTensor, operation: str) -> None:
    """Refuse tensors with a scale."""
    if a.scale is not None or b.scale is not None:
        raise UserError(
            f"{operation} of tensors with a scale",
            where="arithmetic",
            expected="tensors whose format holds the step",
            remedy="cast them to a format first, or work on .codes",
        )


def _operands(a: Any, b: Any) -> tuple[QTensor, QTensor]:
    first = as_operand(a, b if isinstance(b, QTensor) else None)
    return first, as_operand(b, first)


def aligned_codes(q: QTensor, fmt: FixedFormat) -> Array:
    """Return the codes of ``q`` with the fractional bits of ``fmt``, which holds them, in its storage type."""
    wide = q.codes.astype(storage_dtype(fmt.word_bits, fmt.signed), copy=False)
    places = fmt.frac_bits - q.format.frac_bits
    return wide << wide.dtype.type(places) if places else wide


def add(a: Any, b: Any) -> QTensor:
    """Exact sum.

    >>> add(QTensor([1], "s8f4"), 0.5)
    QTensor(codes=[9], format=s9f4, value=[0.5625])
    """
    x, y = _operands(a, b)
    require_plain(x, y, "sum")
    fmt = sum_format(x.format, y.format)
    return QTensor(aligned_codes(x, fmt) + aligned_codes(y, fmt), fmt, check=False)


def subtract(a: Any, b: Any) -> QTensor:
    """Exact difference, always signed.

    >>> subtract(QTensor([1], "u8f4"), QTensor([3], "u8f4"))
    QTensor(codes=[-2], format=s9f4, value=[-0.125])
    """
    x, y = _operands(a, b)
    require_plain(x, y, "difference")
    fmt = sum_format(x.format, y.format, difference=True)
    return QTensor(aligned_codes(x, fmt) - aligned_codes(y, fmt), fmt, check=False)


def multiply(
    a: Any,
    b: Any,
    format: FixedFormat | str | None = None,
    rounding: Rounding | str = Rounding.HALF_EVEN,
    overflow: Overflow | str = Overflow.SATURATE,
    *,
    overflow_bits: int = 0,
    random: BitSource | None = None,
) -> QTensor:
    """Product: exact, or requantized to ``format`` in the same pass.

    Parameters
    ----------
    a, b : QTensor or number
        Operands; shapes broadcast.
    format : FixedFormat or str, optional
        The target; None: the exact product's format, which must not exceed 64 bits. With a target the exact product
        may have up to 128 bits.
    rounding, overflow, overflow_bits, random
        As of :func:`fxpsim.cast`.

    Examples
    --------
    >>> q = QTensor([24, -8], "s8f4")
    >>> multiply(q, q)
    QTensor(codes=[576,  64], format=s16f8, value=[2.25, 0.25])
    >>> multiply(q, q, "s8f4")
    QTensor(codes=[36,  4], format=s8f4, value=[2.25, 0.25])
    """
    x, y = _operands(a, b)
    if format is None:
        fmt = product_format(x.format, y.format)
        scale = _product_scale(x, y)
        dtype = storage_dtype(fmt.word_bits, fmt.signed)
        codes = x.codes.astype(dtype, copy=False) * y.codes.astype(dtype, copy=False)
        return QTensor(codes, fmt, scale=scale, check=False)
    require_plain(x, y, "rounded product")
    fmt, mode, rule = FixedFormat.parse(format), Rounding(rounding), Overflow(overflow)
    check_overflow(rule, overflow_bits, signed=fmt.signed, where="multiply")
    for operand in (x, y):
        if operand.codes.dtype == np.uint64 and operand.size and int(operand.codes.max()) >> 63:
            raise UserError(
                f"a factor in {operand.format} uses the last of 64 unsigned bits",
                where="multiply",
                expected="factors below 2**63",
                remedy="cast the factor to 63 bits",
            )
    shape = np.broadcast_shapes(x.shape, y.shape)
    flat = [np.ascontiguousarray(np.broadcast_to(q.codes, shape)).ravel() for q in (x, y)]
    bound = x.format.max_abs_code * y.format.max_abs_code
    shift = x.format.frac_bits + y.format.frac_bits - fmt.frac_bits
    noise = make_noise(mode, random, prod(shape), "multiply")
    codes, counts = cast_products((flat[0], flat[1]), bound, shift, Target(fmt, mode, rule, overflow_bits), noise)
    tally = overflow_counts(codes.size, rule, *counts)
    if rule is Overflow.RAISE and tally.saturated:
        raise overflow_error(tally, fmt, "multiply")
    return QTensor(codes.reshape(shape), fmt, counts=tally, check=False)


def _product_scale(x: QTensor, y: QTensor) -> Scale | None:
    if x.scale is None and y.scale is None:
        return None
    shape = np.broadcast_shapes(x.shape, y.shape)
    step = np.ones(shape)
    for q in (x, y):
        if q.scale is None:
            step = step * q.format.resolution
            if q.format.frac_bits:
                raise UserError("a product of a scaled tensor and one with fractional bits", where="multiply")
        else:
            if q.scale.zero_point.any():
                require_plain(x, y, "product (with zero points)")
            step = step * q.scale.full(q.shape)[0]
    return Scale(step=step)


def negative(q: QTensor) -> QTensor:
    """Exact negation; one bit longer and signed.

    >>> negative(QTensor([-8], "s4f0"))
    QTensor(codes=[8], format=s5f0, value=[8.])
    """
    require_plain(q, q, "negation")
    fmt = exact_format(q.format.word_bits + 1, q.format.frac_bits, True, f"-{q.format}")
    return QTensor(-aligned_codes(q, fmt), fmt, check=False)


def absolute(q: QTensor) -> QTensor:
    """Exact magnitude, unsigned in the same number of bits.

    >>> absolute(QTensor([-8], "s4f0"))
    QTensor(codes=[8], format=u4f0, value=[8.])
    """
    require_plain(q, q, "magnitude")
    fmt = FixedFormat(word_bits=q.format.word_bits, frac_bits=q.format.frac_bits, signed=False)
    # the magnitude of the least code overflows to itself, which is right once it is read as unsigned
    unsigned = np.abs(q.codes).astype(storage_dtype(fmt.word_bits, False))
    return QTensor(unsigned, fmt, check=False)


def shift(q: QTensor, places: int) -> QTensor:
    """Multiply by ``2**places`` by moving the binary point: exact, no bit is lost.

    ``ap_fixed`` keeps the type instead and drops bits; that is ``(q >> n).cast(q.format, "floor", "wrap")``.

    >>> shift(QTensor([3], "s8f4"), -2)
    QTensor(codes=[3], format=s8f6, value=[0.046875])
    """
    require_plain(q, q, "shift")
    fmt = FixedFormat(word_bits=q.format.word_bits, frac_bits=q.format.frac_bits - int(places), signed=q.format.signed)
    return QTensor(q.codes, fmt, check=False)


def compare(a: QTensor, b: Any, relation: Callable[[Any, Any], Any]) -> Any:
    """Compare values exactly, whatever the formats.

    >>> compare(QTensor([4, 5], "s8f4"), QTensor([1, 1], "u4f2"), np.equal)
    array([ True, False])
    """
    x, y = _operands(a, b)
    require_plain(x, y, "comparison")
    frac_bits = max(x.format.frac_bits, y.format.frac_bits)
    longest = max(q.format.word_bits + frac_bits - q.format.frac_bits for q in (x, y))
    # past 63 bits the aligned codes are Python integers
    dtype: Any = np.int64 if longest < 64 else object
    left, right = (q.codes.astype(dtype) << (frac_bits - q.format.frac_bits) for q in (x, y))
    return np.asarray(relation(left, right), dtype=bool)[()]
