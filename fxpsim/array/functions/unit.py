"""What all functions share: checks on the way in, the cast on the way out."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array.counts import overflow_counts
from fxpsim.array.qtensor import QTensor
from fxpsim.errors import UserError
from fxpsim.kernels.cast import Noise, Target, cast_codes
from fxpsim.kernels.functions import UNIT
from fxpsim.kernels.threads import parallel_for
from fxpsim.numerics import FixedFormat, Overflow, Rounding

Codes = NDArray[np.int64]
MAX_INPUT_BITS = 24
MAX_OUTPUT_BITS = 24
GUARD_BITS = 6


def run(kernel: Any, x: Codes, *args: Any) -> Codes:
    """Run a kernel over flat codes and return its results."""
    out = np.empty(x.size, np.int64)
    parallel_for(kernel, -(-x.size // UNIT), x, out, *args)
    return out


def evaluate(
    name: str,
    x: QTensor,
    format: FixedFormat | str,
    rounding: Rounding | str,
    function: Callable[[Codes, FixedFormat], tuple[Codes, int]],
) -> QTensor:
    """Apply ``function`` to the codes of ``x`` and cast its wide results to ``format``, saturating.

    ``function(codes, target format)`` returns wide codes and their fractional bits.
    """
    if x.scale is not None or x.format.word_bits > MAX_INPUT_BITS:
        raise UserError(
            f"input of {x.format}{' with a scale' if x.scale is not None else ''}",
            where=name,
            expected=f"a plain format of at most {MAX_INPUT_BITS} bits",
            remedy="cast the input to a shorter word",
        )
    fmt = FixedFormat.parse(format)
    mode = Rounding(rounding)
    if fmt.word_bits > MAX_OUTPUT_BITS or abs(fmt.frac_bits) > MAX_OUTPUT_BITS or abs(x.format.frac_bits) > 24:
        raise UserError(
            f"{x.format} to {fmt}",
            where=name,
            expected=f"words and fractions of at most {MAX_OUTPUT_BITS} bits",
            remedy="compute in a shorter format and cast the result",
        )
    if mode.is_stochastic:
        raise UserError(
            f"rounding={mode.value!r}",
            where=name,
            expected="a mode without random bits: only guard bits lie behind the last place of a function unit",
            remedy="compute in a longer format and cast the result",
        )
    flat = np.ascontiguousarray(x.codes).ravel().astype(np.int64)
    wide, frac_bits = function(flat, fmt)
    target = Target(fmt, mode, Overflow.SATURATE)
    codes, counts = cast_codes(wide, (1 << 61) + 1, frac_bits - fmt.frac_bits, target, Noise())
    tally = overflow_counts(codes.size, Overflow.SATURATE, *counts)
    return QTensor(codes.reshape(x.shape), fmt, counts=tally, check=False)


def require_bits(name: str, bits: int, x: QTensor, fmt: FixedFormat) -> None:
    """Refuse formats whose intermediate result does not fit the 62 bits of the unit."""
    if bits > 62:
        raise UserError(
            f"{x.format} to {fmt} needs {bits} bits inside the unit",
            where=name,
            expected="at most 62",
            remedy="use shorter words or fewer fractional bits",
        )


def require_nonnegative(x: QTensor, name: str) -> None:
    """Refuse negative inputs of functions that have no value there."""
    if x.size and int(x.codes.min()) < 0:
        raise UserError(
            f"{int((x.codes < 0).sum())} negative inputs",
            where=name,
            expected="values from zero",
            remedy="cast to an unsigned format first: cast(x, 'u8f4') clamps them to zero",
        )
