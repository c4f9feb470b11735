"""The cast that takes everything: values of up to 128 bits (or any float), any shift, words of up to 64 bits.

A value is a signed 128-bit integer (``high`` int64, ``low`` uint64) times a power of two. One element at a time, all
modes in one kernel: several times slower than the generated kernels, and used where they do not reach.
"""

import numpy as np

from fxpsim.kernels import random
from fxpsim.kernels.cast.int128 import U0, U1, U32, add, multiply_wide, shift_left, shift_right, widened
from fxpsim.kernels.cast.range import outside_code
from fxpsim.kernels.jit import kernel
from fxpsim.numerics import Rounding

# numbers of the modes inside the kernel, in the order of the enum
(
    FLOOR,
    CEIL,
    TOWARD_ZERO,
    AWAY_FROM_ZERO,
    HALF_UP,
    HALF_DOWN,
    HALF_TOWARD_ZERO,
    HALF_AWAY,
    HALF_EVEN,
    HALF_ODD,
    JAM,
    JAM_UNBIASED,
    STOCHASTIC,
    STOCHASTIC_EQUAL,
) = range(len(Rounding))
MODES = {mode: number for number, mode in enumerate(Rounding)}
MAX_RIGHT = 126

U63 = np.uint64(63)
TOP = np.uint64(1 << 63)

random_word = kernel(random.random_word)


@kernel
def rounds_up(mode, odd, negative, inexact, half, top, noise):
    """Whether the floor is raised by one.

    ``half`` is the sign of (dropped part - 1/2), ``top`` the first 32 bits of the dropped part. Modes as in ``MODES``.
    """
    if mode == CEIL:
        return inexact
    if mode == TOWARD_ZERO:
        return inexact and negative
    if mode == AWAY_FROM_ZERO:
        return inexact and not negative
    if HALF_UP <= mode <= HALF_ODD:
        if half != 0:
            return half > 0
        if mode == HALF_UP:
            return True
        if mode == HALF_TOWARD_ZERO:
            return negative
        if mode == HALF_AWAY:
            return not negative
        if mode == HALF_EVEN:
            return odd
        return mode == HALF_ODD and not odd  # left: HALF_DOWN
    if mode == JAM:
        return not odd
    if mode == JAM_UNBIASED:
        return inexact and not odd
    if mode == STOCHASTIC:
        return top + noise >= (1 << 32)
    if mode == STOCHASTIC_EQUAL:
        return inexact and noise >= (1 << 31)
    return False  # FLOOR


@kernel
def scale_up(high, low, places):
    """Return ``(high, low) * 2**places`` modulo 2**128, and whether that lost anything."""
    if high == 0 and low == U0:
        return high, low, False
    if places > 127:
        return np.int64(0), U0, True
    lead_high, lead_low = shift_right(high, low, 127 - places)
    kept = (lead_high == 0 and lead_low == U0) or (lead_high == -1 and lead_low == ~U0)
    high, low = shift_left(high, low, places)
    return high, low, not kept


@kernel
def drop_bits(high, low, shift, mode, noise):
    """Return the floor of ``(high, low) * 2**-shift``, whether rounding raises it by one, and whether it is inexact."""
    negative = high < 0
    if shift > MAX_RIGHT:
        # keep one sticky bit for what lies further right: no comparison changes
        drop = min(shift - MAX_RIGHT, 127)
        kept_high, kept_low = shift_right(high, low, drop)
        back_high, back_low = shift_left(kept_high, kept_low, drop)
        if back_high != high or back_low != low:
            kept_low |= U1
        high, low = kept_high, kept_low
        shift = MAX_RIGHT
    floor_high, floor_low = shift_right(high, low, shift)
    # the dropped part, aligned to the top of 128 bits
    part_high, part_low = shift_left(high, low, 128 - shift)
    aligned = np.uint64(part_high)
    inexact = aligned != U0 or part_low != U0
    tie = aligned == TOP and part_low == U0
    half = 0 if tie else (1 if aligned >= TOP else -1)
    up = rounds_up(mode, floor_low & U1 != U0, negative, inexact, half, np.int64(aligned >> U32), noise)
    return floor_high, floor_low, up, inexact


@kernel
def round_wide(high, low, shift, mode, noise):
    """Round ``(high, low) * 2**-shift`` to a whole number.

    Returns the result, the floor, whether the result is huge (right modulo 2**128 only), and whether it is inexact.
    """
    huge = False
    if shift <= 0:
        floor_high, floor_low, huge = scale_up(high, low, -shift)
        up = mode == JAM and floor_low & U1 == U0
        inexact = up
    else:
        floor_high, floor_low, up, inexact = drop_bits(high, low, shift, mode, noise)
        inexact = inexact or (up and mode == JAM)
    one = U1 if up else U0
    high, low = add(floor_high, floor_low, np.int64(0), one)
    return high, low, floor_high, floor_low, huge, inexact


@kernel
def is_inside(high, low, limits):
    """Return whether a whole number is a code of the word."""
    if limits.signed:
        inside = high == (np.int64(low) >> np.int64(63))
        return inside and np.int64(limits.least) <= np.int64(low) <= np.int64(limits.greatest)
    return high == 0 and low <= limits.greatest


@kernel
def cast_wide(high, low, shift, mode, noise, limits):
    """Return ``(pattern of the code, overflowed, flushed to zero, inexact)`` of ``(high, low) * 2**-shift``."""
    negative = high < 0
    nonzero = high != 0 or low != U0
    high, low, floor_high, floor_low, huge, inexact = round_wide(high, low, shift, mode, noise)
    if not huge and is_inside(high, low, limits):
        return low, False, nonzero and low == U0, inexact
    sign = negative if huge else high < 0
    if limits.ap:
        _, deleted = shift_right(floor_high, floor_low, limits.word)
    else:
        _, deleted = shift_right(high, low, limits.word)
    return outside_code(low, sign, deleted & U1 != U0, limits), True, False, inexact


@kernel
def noise_word(i, words, key):
    """Random word of element ``i``: given, or from the stream."""
    word = np.int64(words[i]) if words.size > 0 else random_word(np.int64(i), key[0], key[1])
    return word & key[2]


@kernel
def wide_floats(begin, end, x, out, words, counts, frac_bits, mode, limits, key):
    """Cast float64 by its bits; ``out`` takes 64-bit patterns. Infinities are huge values."""
    bits = x.view(np.uint64)
    for unit in range(begin, end):
        for i in range(unit * random.GROUP, min((unit + 1) * random.GROUP, x.size)):
            exponent = np.int64((bits[i] >> np.uint64(52)) & np.uint64(0x7FF))
            mantissa = np.int64(bits[i] & np.uint64((1 << 52) - 1))
            if exponent == 0:
                exponent = np.int64(1)
            else:
                mantissa |= np.int64(1 << 52)
            value = -mantissa if bits[i] >> U63 != U0 else mantissa
            shift = -(exponent - 1075 + frac_bits)
            if exponent == 0x7FF:
                shift = np.int64(-1 << 20)  # an infinity: huge in every format
            noise = noise_word(i, words, key) if mode >= STOCHASTIC else np.int64(0)
            high = np.int64(-1) if value < 0 else np.int64(0)
            code, over, flushed, inexact = cast_wide(high, np.uint64(value), shift, mode, noise, limits)
            out[i] = code
            counts[begin, 0] += over
            counts[begin, 1] += flushed
            counts[begin, 2] += inexact


@kernel
def wide_codes(begin, end, x, factor, out, words, counts, shift, mode, limits, key):
    """Cast 64-bit codes (int64 or uint64), or products of int64 codes if ``factor`` is not empty."""
    for unit in range(begin, end):
        for i in range(unit * random.GROUP, min((unit + 1) * random.GROUP, x.size)):
            if factor.size > 0:
                high, low = multiply_wide(np.int64(x[i]), np.int64(factor[i]))
            else:
                high, low = widened(x[i], x[i] < 0)
            noise = noise_word(i, words, key) if mode >= STOCHASTIC else np.int64(0)
            code, over, flushed, inexact = cast_wide(high, low, shift, mode, noise, limits)
            out[i] = code
            counts[begin, 0] += over
            counts[begin, 1] += flushed
            counts[begin, 2] += inexact


@kernel
def wide_matmul(begin, end, a, b, out, counts, shift, mode, limits, step, key):
    """Accumulate the products of rows of ``a`` (int64, M x K) and columns of ``b`` (K x N); units are rows.

    Each product is rounded, and the sum brought into range after every ``step`` of them. The caller proves that no sum
    leaves 127 bits in between. ``counts[m]`` gets sums out of range, products flushed to zero, inexact products.
    """
    terms, columns = b.shape
    for m in range(begin, end):
        for n in range(columns):
            high, low = np.int64(0), U0
            for k in range(terms):
                first, second = multiply_wide(a[m, k], b[k, n])
                word = np.int64(0)
                if mode >= STOCHASTIC:
                    word = random_word(np.int64((m * columns + n) * terms + k), key[0], key[1])
                nonzero = first != 0 or second != U0
                first, second, _, _, _, inexact = round_wide(first, second, shift, mode, word)
                counts[m, 1] += nonzero and first == 0 and second == U0
                counts[m, 2] += inexact
                high, low = add(high, low, first, second)
                if (k + 1) % step == 0 or k + 1 == terms:
                    code, over, _, _ = cast_wide(high, low, 0, 0, 0, limits)
                    counts[m, 0] += over
                    high, low = widened(code, limits.signed)
            out[m, n] = low
