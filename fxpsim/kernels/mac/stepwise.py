"""The general kernel: any width up to 64 bits, any rounding, any overflow, either order, one product after another.

It is the slowest lane and the widest: everything that no faster lane can prove exact ends here. Its source is
generated, so that each pair of rounding and overflow is one loop without tests inside; the columns are innermost and
vectorize.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.kernels import scalar
from fxpsim.kernels.inlining import inline
from fxpsim.kernels.jit import compile_source, kernel
from fxpsim.kernels.mac.spec import MacSpec
from fxpsim.kernels.mac.tables import Contraction
from fxpsim.kernels.random import random_word
from fxpsim.kernels.threads import parallel_for
from fxpsim.numerics import Overflow, Rounding

EMPTY = np.int64(np.iinfo(np.int64).min)
"""Marks an element of ``a`` that does not exist (padding): it makes no product, not even a zero to be rounded."""

_SOURCE = '''\
def mac_stepwise(begin, end, a, base, rows, cols, b, out, first, columns, shift, low, high, bits, is_signed, step,
                 key0, key1, overflowed, flushed):
    """Add products {title}."""
    n_cols = b.shape[1]
    n_k = cols.size
    mask = np.int64(-1) if bits == 64 else (np.int64(1) << bits) - np.int64(1)
    half = bits - is_signed
    total = np.zeros(n_cols, np.int64)
    part = np.zeros(n_cols, np.int64)
    turns = np.zeros(n_cols, np.int64)
    for m in range(begin, end):
        vanished = 0
        total[:] = 0
        turns[:] = 0
        count = 0
        row = base + rows[m]
        for k0 in range(0, n_k, step):
            part[:] = 0
            for k in range(k0, min(k0 + step, n_k)):
                x = a[row + cols[k]]
                if x == EMPTY:
                    continue
                b_row = b[k]
                for j in range(n_cols):
                    product = x * b_row[j]
                    {add}
            for j in range(n_cols):
                value = total[j] + part[j]
                {overflow}
                total[j] = value
        out_row = out[m]
        for j in range(n_cols):
            out_row[j] = total[j]
            count += turns[j] != 0
        overflowed[m] += count
        flushed[m] += vanished
'''

_NOISE = "noise = random_word((np.int64(m) * columns + first + j) * n_k + k, key0, key1)"

# by chance, so that nobody can count them without the random words
_COUNT = "vanished += (rounded == 0) & (product != 0)"

# ``beyond``: the 64-bit sum itself overflowed (possible for the widest accumulators only), in the part's direction.
_BEYOND = "beyond = ((total[j] ^ value) & (part[j] ^ value)) < 0"

_OUT_OF_RANGE = f"""{_BEYOND}
                is_low = part[j] < 0 if beyond else value < low
                is_high = part[j] >= 0 if beyond else value > high
                count += is_low | is_high
                """

_OVERFLOW = {
    # turns: how many times round the circle; zero at the end if and only if the exact sum is in range
    Overflow.WRAP: f"""{_BEYOND}
                turns[j] += ((value >> half) + is_signed) >> is_signed
                if beyond:
                    turns[j] += (-1 if part[j] < 0 else 1) << (64 - bits)
                value = ((value - low) & mask) + low""",
    # the transfer curve is continuous: every second period is mirrored
    Overflow.WRAP_SIGN_MAGNITUDE: """count += (value < low) | (value > high)
                wrapped = ((value - low) & mask) + low
                value = -1 - wrapped if ((value >> half) >> 1) & 1 != (wrapped < 0) else wrapped""",
    Overflow.SATURATE: _OUT_OF_RANGE + "value = low if is_low else (high if is_high else value)",
    Overflow.SATURATE_ZERO: _OUT_OF_RANGE + "value = 0 if is_low | is_high else value",
}
_OVERFLOW[Overflow.SATURATE_SYMMETRIC] = _OVERFLOW[Overflow.RAISE] = _OVERFLOW[Overflow.SATURATE]

_WIDEST = 1 << 62
"""Largest magnitude of what is added at once: with it, only 63 and 64 bit accumulators can leave int64."""


@lru_cache(maxsize=256)
def _compiled(rounding: Rounding | None, left: bool, overflow: Overflow) -> Any:
    """Return the kernel of one rounding (None: products stay whole), shift direction and overflow."""
    namespace: dict[str, Any] = {"np": np, "EMPTY": EMPTY}
    if left or rounding is None:
        value = "product << shift" if left else "product"
        lines = [f"rounded = {value} | 1" if left and rounding is Rounding.JAM else f"rounded = {value}"]
    else:
        function = getattr(scalar, f"round_shift_{rounding.value}")
        noise = "noise" if rounding.is_stochastic else "np.uint32(0)"
        lines = inline(function, ["product", "shift", noise], "rounded", "np.int64")
        if rounding.is_stochastic:
            lines = [_NOISE, *lines, _COUNT]
            namespace["random_word"] = kernel(random_word)
    add = ("\n" + " " * 20).join([*lines, "part[j] += rounded"])
    title = f"rounded by {rounding.value if rounding else 'nothing'}, with overflow {overflow.value}"
    source = _SOURCE.format(title=title, add=add, overflow=_OVERFLOW[overflow])
    return compile_source("mac_stepwise", source, namespace)


def largest_part(spec: MacSpec, k: int, a_bound: int, b_bound: int) -> int:
    """Return the largest magnitude that is added to the running sum at once."""
    product = a_bound * b_bound
    largest = product << -spec.product_shift if spec.product_shift <= 0 else (product >> spec.product_shift) + 1
    return (largest + (spec.rounding is Rounding.JAM)) * min(spec.step, k)


def check_widths(spec: MacSpec, k: int, a_bound: int, b_bound: int) -> None:
    """Refuse operands whose products no 64-bit arithmetic holds.

    Raises
    ------
    UserError
        If a product, or the sum of a chunk, can exceed 2^62.
    """
    largest = max(a_bound * b_bound, largest_part(spec, k, a_bound, b_bound))
    if largest > _WIDEST or (spec.overflow is Overflow.WRAP_SIGN_MAGNITUDE and spec.word_bits > 62):
        raise UserError(
            f"operands up to {a_bound} and {b_bound} with {spec}",
            where="MAC array",
            expected="products (and sums of a chunk) up to 2^62; wrap_sign_magnitude up to 62 bits",
            remedy="shorten an operand, the accumulator or the chunk",
        )


def accumulate(
    contraction: Contraction,
    image: np.ndarray,
    base: int,
    b: np.ndarray,
    out: np.ndarray,
    spec: MacSpec,
    *,
    first: int,
    columns: int,
) -> tuple[int, int]:
    """Run the kernel on one group; return how often the sum left the range and, if by chance, a product vanished.

    Parameters
    ----------
    contraction : Contraction
        The tables.
    image : ndarray of int64, flat
        The operand a in its frame, EMPTY where there is none.
    base : int
        Where the group begins in ``image``.
    b : ndarray of int64, (K, N)
    out : ndarray, (M, N)
        Receives the codes.
    spec : MacSpec
    first, columns : int
        First column of the group and number of all columns, for the index of random words.
    """
    run = _compiled(
        spec.rounding if spec.rounds else None,
        spec.product_shift < 0,
        spec.overflow,
    )
    overflowed, flushed = np.zeros((2, contraction.rows.size), np.int64)
    codes = np.empty(out.shape, np.int64)  # one kernel for all types: this lane takes its time anyway
    parallel_for(
        run,
        contraction.rows.size,
        image,
        base,
        contraction.rows,
        contraction.cols,
        np.ascontiguousarray(b, np.int64),
        codes,
        first,
        columns,
        abs(spec.product_shift),
        spec.min_code,
        spec.max_code,
        spec.word_bits,
        int(spec.signed),
        spec.step,
        spec.key0,
        spec.key1,
        overflowed,
        flushed,
    )
    out[...] = codes
    return int(overflowed.sum()), int(flushed.sum())
