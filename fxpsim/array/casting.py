"""Cast: any array to the codes of a format, in any rounding and overflow mode."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fxpsim.array.counts import CastCounts, overflow_counts
from fxpsim.array.qtensor import QTensor
from fxpsim.array.scale import Scale
from fxpsim.errors import UserError
from fxpsim.kernels.cast import Counts, Noise, Target, cast_codes, cast_floats, storage_dtype
from fxpsim.numerics import FixedFormat, Flavor, Overflow, RandomBits, Rounding, oracle
from fxpsim.numerics.overflow import check_overflow

Array = NDArray[Any]


class BitSource(Protocol):
    """Any source of random bits: words of 32 bits of which ``mask`` says which count."""

    @property
    def mask(self) -> int:
        """Which bits of a word count."""
        ...

    def words(self, count: int, *, start: int = 0) -> NDArray[np.uint32]:
        """Return ``count`` words."""
        ...


def cast(
    x: Any,
    format: FixedFormat | str,
    rounding: Rounding | str = Rounding.HALF_EVEN,
    overflow: Overflow | str = Overflow.SATURATE,
    *,
    overflow_bits: int = 0,
    random: BitSource | None = None,
    flavor: Flavor | str = Flavor.SYSTEMC,
    scale: Scale | None = None,
) -> QTensor:
    r"""Bring values to a format: exact value, then rounding, then overflow.

    .. math:: c = \mathrm{overflow}(\mathrm{round}(x \cdot 2^F))

    The value is never touched before it is rounded: a float is scaled by a power of two or taken apart into its bits,
    and codes are shifted. Element ``i`` (C order) of a stochastic cast takes random word ``i``.

    Parameters
    ----------
    x : array_like or QTensor
        Floats (64 bits or fewer), integers, booleans, ``Fraction`` objects, or a QTensor, of any shape.
    format : FixedFormat or str
        The target.
    rounding : Rounding or str
        One of the fourteen modes.
    overflow : Overflow or str
        One of the six modes.
    overflow_bits : int
        For the wrapping modes: leading bits that saturate (SystemC's ``n_bits``).
    random : RandomBits or LfsrBits, optional
        Random bits; required by the stochastic modes.
    flavor : Flavor or str
        Whose corners: ``systemc``, ``ap`` or ``ac``.
    scale : Scale, optional
        Steps per tensor, channel, row or block instead of the format's ``2**-frac_bits`` (which must be 1). Steps
        that are powers of two are fast; others are divided exactly, in Python integers.

    Returns
    -------
    QTensor
        With ``.counts`` of what saturated, wrapped, was flushed to zero or was inexact.

    Raises
    ------
    UserError
        NaN; infinities with a wrapping mode; a stochastic mode without ``random``; an overflow with
        ``overflow="raise"``.

    Examples
    --------
    >>> q = cast([0.3, -1.5, 100.0], "s8f4", "half_even", "saturate")
    >>> q.codes, q.value
    (array([  5, -24, 127], dtype=int8), array([ 0.3125, -1.5   ,  7.9375]))
    >>> q.counts.saturated, q.counts.inexact
    (1, 1)
    """
    fmt = FixedFormat.parse(format)
    mode, rule = Rounding(rounding), Overflow(overflow)
    check_overflow(rule, overflow_bits, signed=fmt.signed, where="cast")
    target = Target(fmt, mode, rule, overflow_bits, Flavor(flavor))
    run, shape = _source(x) if scale is None else _scaled_source(x, fmt, scale)
    noise = make_noise(mode, random, int(np.prod(shape)), "cast")
    codes, counts = run(target, noise)
    tally = overflow_counts(codes.size, rule, *counts)
    if rule is Overflow.RAISE and tally.saturated:
        raise overflow_error(tally, fmt, "cast")
    return QTensor(codes.reshape(shape), fmt, scale=scale, counts=tally, check=False)


def make_noise(mode: Rounding, random: BitSource | None, count: int, where: str) -> Noise:
    """Return the random bits of a rounding; refuse a stochastic mode without a source."""
    if not mode.is_stochastic:
        return Noise()
    if random is None:
        raise UserError(
            f"rounding={mode.value!r} without random bits",
            where=where,
            expected="a source, so that the result can be repeated",
            remedy="random=RandomBits(seed=...)",
        )
    if isinstance(random, RandomBits):
        return Noise(key=random.key, mask=random.mask)
    return Noise(words=random.words(count), mask=random.mask)


def overflow_error(counts: CastCounts, fmt: FixedFormat, where: str) -> UserError:
    """Return the error of ``overflow="raise"``."""
    return UserError(
        f"{counts.saturated} overflows among {counts.elements} elements",
        where=f"{where} to {fmt}",
        expected=f"values from {fmt.min} to {fmt.max}",
        remedy="use a longer word or fewer fractional bits, or another overflow mode",
    )


Run = Callable[[Target, Noise], tuple[Array, Counts]]


def _source(x: Any) -> tuple[Run, tuple[int, ...]]:
    """Return what casts ``x``, and its shape."""
    if isinstance(x, QTensor):
        if x.scale is not None:
            return _exact_source(exact_values(x))
        return _code_source(x.codes, x.format.max_abs_code, x.format.frac_bits), x.shape
    array = np.asarray(x)
    match array.dtype.kind:
        case "f" if array.dtype.itemsize <= 8:
            narrow = array.astype(np.float32) if array.dtype == np.float16 else array
            flat = np.ascontiguousarray(narrow.astype(narrow.dtype.newbyteorder("="), copy=False)).ravel()
            return lambda target, noise: cast_floats(flat, target, noise), array.shape
        case "i" | "u" | "b":
            whole = array.astype(np.uint8) if array.dtype.kind == "b" else array.astype(array.dtype.newbyteorder("="))
            bound = max(abs(int(whole.max())), abs(int(whole.min()))) if whole.size else 0
            return _code_source(whole, bound, 0), array.shape
        case "O":
            return _exact_source(array)
        case _:
            raise UserError(
                f"cannot cast an array of {array.dtype}",
                where="cast",
                expected="real numbers of at most 64 bits, Fractions, or a QTensor",
                remedy="convert it with .astype(float), which rounds, or give Fractions",
            )


def _code_source(codes: Array, bound: int, frac_bits: int) -> Run:
    flat = np.ascontiguousarray(codes).ravel()
    return lambda target, noise: cast_codes(flat, bound, frac_bits - target.format.frac_bits, target, noise)


def exact_values(q: QTensor) -> Array:
    """Return the values of a scaled tensor as Fractions, exactly."""
    assert q.scale is not None
    step, zero = q.scale.full(q.shape)
    pairs = zip(q.codes.ravel().tolist(), zero.ravel().tolist(), step.ravel().tolist(), strict=True)
    out = np.empty(q.size, object)
    out[:] = [Fraction(s) * (c - z) for c, z, s in pairs]
    return out.reshape(q.shape)


def _exact_source(values: Array) -> tuple[Run, tuple[int, ...]]:
    """Cast Python numbers by the specification itself: exact for any size, and slow."""
    try:
        exact = [Fraction(v) for v in values.ravel().tolist()]
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"cannot cast: {error}", where="cast", expected="real numbers") from error

    def run(target: Target, noise: Noise) -> tuple[Array, Counts]:
        fmt = target.format
        mask = np.uint32(noise.mask)
        words = noise.words if noise.words.size else _stream(noise, len(exact))
        codes = np.empty(len(exact), storage_dtype(fmt.word_bits, fmt.signed))
        overflowed = flushed = inexact = 0
        for i, value in enumerate(exact):
            scaled = value * Fraction(2) ** fmt.frac_bits
            whole = oracle.round_fraction(scaled, target.rounding, int(words[i] & mask))
            overflowed += not target.least <= whole <= fmt.max_code
            flushed += whole == 0 != scaled
            inexact += whole != scaled
            rule = Overflow.SATURATE if target.overflow is Overflow.RAISE else target.overflow
            codes[i] = oracle.bring_into_range(
                whole,
                fmt,
                rule,
                overflow_bits=target.overflow_bits,
                flavor=target.flavor,
                before_rounding=scaled,
            )
        return codes, Counts(overflowed, flushed, inexact)

    return run, values.shape


def _stream(noise: Noise, count: int) -> NDArray[np.uint32]:
    from fxpsim.numerics.threefry import stream_words

    return stream_words(np.arange(count, dtype=np.int64), *noise.key)


def _scaled_source(x: Any, fmt: FixedFormat, scale: Scale) -> tuple[Run, tuple[int, ...]]:
    """Divide by the steps, exactly, and add the zero points."""
    if fmt.frac_bits != 0:
        raise UserError(f"format {fmt} with a scale", where="cast", expected="frac_bits=0: the scale holds the steps")
    values = exact_values(x) if isinstance(x, QTensor) and x.scale is not None else np.asarray(x)
    step, zero = scale.full(values.shape)
    if values.dtype.kind == "f" and scale.is_power_of_two and not zero.any():
        wide = values.astype(np.float64)
        scaled = wide / step
        if (scaled * step == wide).all():  # neither overflow nor underflow: the division was exact
            return _source(scaled)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UserError("values are NaN or infinite", where="cast", expected="numbers")
    out = np.empty(values.size, object)
    triples = zip(values.ravel().tolist(), step.ravel().tolist(), zero.ravel().tolist(), strict=True)
    out[:] = [Fraction(v) / Fraction(s) + z for v, s, z in triples]
    return _exact_source(out.reshape(values.shape))
