"""Choose and run the kernel of a cast."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fxpsim.errors import UserError
from fxpsim.kernels.cast.range import Range, least_code, make_range
from fxpsim.kernels.cast.sources import COUNTERS, GROUP, float_kernel, integer_kernel
from fxpsim.kernels.cast.wide import MODES, wide_codes, wide_floats, wide_matmul
from fxpsim.kernels.scalar import MAX_SHIFT
from fxpsim.kernels.threads import parallel_for
from fxpsim.numerics import FixedFormat, Flavor, Overflow, Rounding

Array = NDArray[Any]
MAX_EXACT_WORD = 52  # so that every code, and the last bit of an odd one, is exact in a float64
MAX_SCALE = 1000
SMALL = 1 << 14  # up to here one kernel per mode serves all types, which saves compilations; larger ones get their own


class Noise(NamedTuple):
    """Where a stochastic cast takes its bits: given words, or the stream of a key. ``mask`` says which bits count."""

    words: NDArray[np.uint32] = np.empty(0, np.uint32)
    key: tuple[int, int] = (0, 0)
    mask: int = 0xFFFFFFFF


class Counts(NamedTuple):
    """What happened to the elements of a cast, or to the sums and products of an accumulation."""

    overflowed: int
    flushed: int
    inexact: int


class Target(NamedTuple):
    """The format and the modes of a cast."""

    format: FixedFormat
    rounding: Rounding
    overflow: Overflow
    overflow_bits: int = 0
    flavor: Flavor = Flavor.SYSTEMC

    @property
    def range(self) -> Range:
        """The range as the kernels read it."""
        return make_range(self.format, self.overflow, self.overflow_bits, self.flavor)

    @property
    def least(self) -> int:
        """The least code that is not overflow."""
        return least_code(self.format, self.overflow, self.flavor)


def storage_dtype(word_bits: int, signed: bool) -> np.dtype[Any]:
    """Return the shortest integer dtype that holds a word.

    >>> storage_dtype(9, True), storage_dtype(8, False)
    (dtype('int16'), dtype('uint8'))
    """
    size = next(size for size in (8, 16, 32, 64) if word_bits <= size)
    return np.dtype(f"{'int' if signed else 'uint'}{size}")


def _counts(table: NDArray[np.int64]) -> Counts:
    overflowed, flushed, inexact, _ = (int(n) for n in table.sum(axis=0))
    return Counts(overflowed, flushed, inexact)


def _units(size: int) -> int:
    return -(-size // GROUP)


def cast_floats(x: NDArray[np.floating[Any]], target: Target, noise: Noise) -> tuple[Array, Counts]:
    """Cast a flat array of float64 or float32.

    Returns
    -------
    codes : ndarray
        In the storage dtype of the format.
    counts : Counts
        Exact counters.

    Raises
    ------
    UserError
        For NaN, and for infinities unless the overflow mode saturates.
    """
    fmt = target.format
    clamps = target.range.rule == 0
    fast = 0 <= fmt.frac_bits <= MAX_SCALE and fmt.word_bits <= MAX_EXACT_WORD
    if fast:
        source, out = _typed(x, np.float64), _output(x.size, fmt)
        counts = np.zeros((_units(x.size), COUNTERS), np.int64)
        convert = "int64" if out.itemsize == 8 or fmt.max_code >= 1 << 31 else "int32"
        # beyond 2**52 a float cannot hold an odd neighbor: a clamp does not care, its counter of jammed values does
        limit = math.inf if clamps and target.rounding.keeps_exact else 2.0**51
        numbers = (2.0**fmt.frac_bits, float(target.least), float(fmt.max_code), limit)
        kernel = float_kernel(target.rounding, convert)
        key = (*noise.key, noise.mask)
        parallel_for(kernel, len(counts), source, out, noise.words, counts, numbers, target.range, key)
        if not counts[:, 3].any():
            return _stored(out, fmt), _counts(counts)
    _refuse_no_numbers(x, clamps)
    wide = np.empty(x.size, np.uint64)
    counts = np.zeros((_units(x.size), COUNTERS), np.int64)
    source = x.astype(np.float64, copy=False)
    numbers = (fmt.frac_bits, MODES[target.rounding], target.range, (*noise.key, noise.mask))
    parallel_for(wide_floats, len(counts), source, wide, noise.words, counts, *numbers)
    return _stored(wide, fmt), _counts(counts)


def _refuse_no_numbers(x: NDArray[np.floating[Any]], clamps: bool) -> None:
    bad = np.isnan(x) if clamps else ~np.isfinite(x)
    if bad.any():
        position = int(np.flatnonzero(bad)[0])
        raise UserError(
            f"{int(bad.sum())} of {x.size} values are {'NaN' if clamps else 'NaN or infinite'}",
            where=f"flat index {position} of the array to cast",
            expected="numbers (infinities are clamped by the saturating modes, and have no meaning when wrapped)",
            remedy="find where they come from, or replace them with numpy.nan_to_num",
        )


def cast_codes(x: Array, bound: int, shift: int, target: Target, noise: Noise) -> tuple[Array, Counts]:
    """Cast a flat array of codes of magnitude at most ``bound`` that have ``shift`` more fractional bits."""
    if not _fits(bound, shift, target):
        return _wide_codes(x, np.empty(0, np.int64), shift, target, noise)
    return _run_integer("cast", (x,), shift, target, noise)


def cast_products(
    factors: tuple[Array, Array], bound: int, shift: int, target: Target, noise: Noise
) -> tuple[Array, Counts]:
    """Cast the products of two flat arrays of codes, of magnitude at most ``bound``; exact up to 128 bits."""
    x, y = factors
    if not _fits(bound, shift, target):
        return _wide_codes(x.astype(np.int64), y.astype(np.int64), shift, target, noise)
    return _run_integer("multiply", (x, y), shift, target, noise)


def _fits(bound: int, shift: int, target: Target) -> bool:
    left, right = max(-shift, 0), max(shift, 0)
    word_is_narrow = target.format.word_bits < 64 or target.range.rule == 0
    return left <= MAX_SHIFT and right <= MAX_SHIFT and (bound << left) < 1 << MAX_SHIFT and word_is_narrow


def _run_integer(
    operation: str, inputs: tuple[Array, ...], shift: int, target: Target, noise: Noise
) -> tuple[Array, Counts]:
    fmt = target.format
    out = _output(inputs[0].size, fmt)
    counts = np.zeros((_units(out.size), COUNTERS), np.int64)
    numbers = (max(-shift, 0), max(shift, 0), target.least, min(fmt.max_code, (1 << 63) - 1))
    kernel = integer_kernel(operation, target.rounding)
    key = (*noise.key, noise.mask)
    sources = [_typed(x, np.int64) for x in inputs]
    parallel_for(kernel, len(counts), *sources, out, noise.words, counts, numbers, target.range, key)
    return _stored(out, fmt), _counts(counts)


def _wide_codes(x: Array, factor: Array, shift: int, target: Target, noise: Noise) -> tuple[Array, Counts]:
    source = x if x.dtype in (np.int64, np.uint64) else x.astype(np.int64)
    out = np.empty(x.size, np.uint64)
    counts = np.zeros((_units(x.size), COUNTERS), np.int64)
    numbers = (shift, MODES[target.rounding], target.range, (*noise.key, noise.mask))
    parallel_for(wide_codes, len(counts), source, factor, out, noise.words, counts, *numbers)
    return _stored(out, target.format), _counts(counts)


def accumulate_wide(
    factors: tuple[Array, Array], bound: int, shift: int, target: Target, step: int, key: tuple[int, int]
) -> tuple[Array, Counts]:
    """Multiply matrices of codes in an accumulator of up to 64 bits, with products of up to 127.

    Parameters
    ----------
    factors : (M, K) and (K, N) arrays
        Codes that fit int64.
    bound : int
        Largest magnitude of a product.
    shift : int
        Fractional bits that each product drops (negative: gains).
    target : Target
        The accumulator.
    step : int
        Products that are added before the sum is brought into range.
    key : (int, int)
        Key of the random words of the stochastic modes.

    Returns
    -------
    codes : (M, N) array
        In the storage dtype of the format.
    counts : Counts
        Sums that left the range; products that were flushed to zero, and that were inexact.
    """
    product = bound << max(-shift, 0)
    if max(product, ((product >> max(shift, 0)) + 1) * step + (1 << 64)) >> 127:
        raise UserError(
            f"products of up to {bound.bit_length()} bits, moved by {-shift} places, {step} at a time",
            where=f"accumulator {target.format}",
            expected="sums of at most 127 bits between two visits to the overflow logic",
            remedy="shorten an operand, the accumulator's fraction or the chunk",
        )
    a, b = (np.ascontiguousarray(x, np.int64) for x in factors)
    out = np.empty((a.shape[0], b.shape[1]), np.uint64)
    counts = np.zeros((a.shape[0], COUNTERS), np.int64)
    mode = MODES[target.rounding]
    parallel_for(wide_matmul, a.shape[0], a, b, out, counts, shift, mode, target.range, step, key)
    return _stored(out, target.format), _counts(counts)


def _typed(x: Array, small: type[np.generic]) -> Array:
    return x.astype(small, copy=False) if x.size <= SMALL else x


def _output(size: int, fmt: FixedFormat) -> Array:
    """Return an array for patterns: signed whatever the format, so that fewer kernels are compiled."""
    return np.empty(size, np.int64 if size <= SMALL else storage_dtype(fmt.word_bits, True))


def _stored(patterns: Array, fmt: FixedFormat) -> Array:
    """Read patterns of any length as codes in the storage type."""
    dtype = storage_dtype(fmt.word_bits, fmt.signed)
    if patterns.itemsize == dtype.itemsize:
        return patterns.view(dtype)
    return patterns.astype(dtype)
