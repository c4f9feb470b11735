"""Hypothesis strategies: formats, modes, values near their edges, arrays, accumulators.

For property tests of your own rounding modes, quantizers and units. Needs ``hypothesis``: ``pip install fxpsim[test]``.

>>> from hypothesis import given, settings
>>> import fxpsim as fx
>>> @settings(max_examples=5, database=None, deadline=None)  # the first call compiles
... @given(values(fx.FixedFormat.parse("s8f4")))
... def error_is_below_half_a_step(x):
...     q = fx.cast(x, "s8f4", "half_even", "saturate")
...     assert q.counts.saturated or abs(float(q.value) - x) <= 2.0**-5
>>> error_is_below_half_a_step()
"""

from collections.abc import Sequence
from math import isfinite, nextafter

import numpy as np
from hypothesis import strategies as st

from fxpsim.array import Accumulator, QTensor
from fxpsim.numerics import FixedFormat, Overflow, RandomBits, Rounding

# where storage types, registers and floats change
EDGE_WORDS = (1, 2, 7, 8, 9, 15, 16, 17, 24, 25, 31, 32, 33, 52, 53, 54, 62, 63, 64)


@st.composite
def formats(
    draw: st.DrawFn,
    *,
    min_word_bits: int = 1,
    max_word_bits: int = 64,
    min_frac_bits: int = -70,
    max_frac_bits: int = 70,
    signed: bool | None = None,
) -> FixedFormat:
    """Formats, word lengths near powers of two more often than others."""
    edges = [w for w in EDGE_WORDS if min_word_bits <= w <= max_word_bits] or [min_word_bits]
    word_bits = draw(st.sampled_from(edges) | st.integers(min_word_bits, max_word_bits))
    frac_bits = draw(st.integers(min_frac_bits, max_frac_bits))
    return FixedFormat(
        word_bits=word_bits, frac_bits=frac_bits, signed=draw(st.booleans()) if signed is None else signed
    )


def roundings(*, stochastic: bool | None = None) -> st.SearchStrategy[Rounding]:
    """Rounding modes; ``stochastic`` restricts to those with or without random bits."""
    return st.sampled_from([mode for mode in Rounding if stochastic in (None, mode.is_stochastic)])


@st.composite
def overflows(draw: st.DrawFn, fmt: FixedFormat, *, raises: bool = False) -> tuple[Overflow, int]:
    """Overflow modes that ``fmt`` allows, with ``overflow_bits``."""
    modes = [
        mode
        for mode in Overflow
        if (raises or mode is not Overflow.RAISE) and (fmt.signed or mode is not Overflow.WRAP_SIGN_MAGNITUDE)
    ]
    mode = draw(st.sampled_from(modes))
    return mode, draw(st.integers(0, fmt.word_bits)) if mode.takes_bits else 0


def codes(fmt: FixedFormat) -> st.SearchStrategy[int]:
    """Codes of a format, its ends and zero more often than others."""
    ends = {fmt.min_code, fmt.max_code, 0, min(fmt.max_code, 1), max(fmt.min_code, -1)}
    return st.sampled_from(sorted(ends)) | st.integers(fmt.min_code, fmt.max_code)


@st.composite
def values(draw: st.DrawFn, fmt: FixedFormat) -> float:
    """Floats that are hard to cast to ``fmt``: on the grid, ties, one float aside, out of range, tiny, huge."""
    unit = fmt.resolution
    kind = draw(st.sampled_from(["grid", "tie", "beside", "any", "fraction"]))
    if kind == "any":
        return draw(st.floats(allow_nan=False, allow_infinity=False))
    span = 4 * fmt.max_abs_code
    base = draw(codes(fmt) | st.integers(-span, span))
    if kind == "fraction":
        value = (base + draw(st.floats(0, 1))) * unit
    else:
        value = (base + (0.0 if kind == "grid" else 0.5)) * unit
        if kind == "beside":
            value = nextafter(value, draw(st.sampled_from([-1.0, 1.0])) * float("inf"))
    return value if isfinite(value) else 0.0


@st.composite
def qtensors(
    draw: st.DrawFn, fmt: FixedFormat | None = None, *, shape: Sequence[int] | None = None, max_size: int = 20
) -> QTensor:
    """Tensors of codes; any format of up to 64 bits and any number of elements unless given."""
    chosen = draw(formats()) if fmt is None else fmt
    dims = tuple(shape) if shape is not None else (draw(st.integers(0, max_size)),)
    count = int(np.prod(dims))
    drawn = draw(st.lists(codes(chosen), min_size=count, max_size=count))
    return QTensor(np.array(drawn, dtype=object).reshape(dims), chosen)


def random_bits() -> st.SearchStrategy[RandomBits]:
    """Streams of random bits."""
    word = st.integers(0, 2**64 - 1)
    return st.builds(RandomBits, seed=word, stream=word, bits=st.integers(1, 32))


@st.composite
def accumulators(draw: st.DrawFn, *, max_word_bits: int = 48, frac_bits: int | None = None) -> Accumulator:
    """Accumulators of a MAC array, both orders."""
    signed = draw(st.booleans())
    fmt = draw(formats(min_word_bits=2, max_word_bits=max_word_bits, min_frac_bits=-4, max_frac_bits=20, signed=signed))
    if frac_bits is not None:
        fmt = FixedFormat(word_bits=fmt.word_bits, frac_bits=frac_bits, signed=signed)
    rules = [Overflow.SATURATE, Overflow.SATURATE_SYMMETRIC, Overflow.SATURATE_ZERO, Overflow.WRAP]
    rounding = draw(roundings())
    return Accumulator(
        format=fmt,
        rounding=rounding,
        overflow=draw(st.sampled_from(rules)),
        order=draw(st.sampled_from(["sequential", "chunked"])),
        chunk=draw(st.integers(1, 9)),
        random=RandomBits(seed=draw(st.integers(0, 99))) if rounding.is_stochastic else None,
    )
