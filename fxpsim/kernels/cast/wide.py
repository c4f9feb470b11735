"""The cast that takes everything: values of up to 128 bits (or any float), any shift, words of up to 64 bits.

A value is a signed 128-bit integer (``high`` int64, ``low`` uint64) times a power of two. One element at a time, all
modes in one kernel: several times slower than the generated kernels, and used where they do not reach.
"""

import numpy as np

from fxpsim.kernels import random
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

U0, U1, U63, U64 = np.uint64(0), np.uint64(1), np.uint64(63), np.uint64(64)
LOW32 = np.uint64(0xFFFFFFFF)
TOP = np.uint64(1 << 63)


@kernel
def shift_right(high, low, drop):
    """Arithmetic shift of a 128-bit value by 0 to 127 places."""
    n = np.uint64(drop)
    if drop == 0:
        return high, low
    if drop < 64:
        return high >> np.int64(drop), (low >> n) | (np.uint64(high) << (U64 - n))
    return high >> np.int64(63), np.uint64(high >> np.int64(drop - 64))


@kernel
def shift_left(high, low, places):
    """Shift of a 128-bit value by 0 to 127 places, modulo 2**128."""
    n = np.uint64(places)
    if places == 0:
        return high, low
    if places < 64:
        return np.int64((np.uint64(high) << n) | (low >> (U64 - n))), low << n
    return np.int64(low << (n - U64)), U0


@kernel
def multiply_wide(x, y):
    """128-bit product of two signed 64-bit values."""
    a, b = np.uint64(x), np.uint64(y)
    a0, a1, b0, b1 = a & LOW32, a >> np.uint64(32), b & LOW32, b >> np.uint64(32)
    middle = a1 * b0 + ((a0 * b0) >> np.uint64(32))
    other = a0 * b1 + (middle & LOW32)
    high = np.int64(a1 * b1 + (middle >> np.uint64(32)) + (other >> np.uint64(32)))
    # the product of the patterns, corrected for the signs
    if x < 0:
        high -= y
    if y < 0:
        high -= x
    return high, a * b


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
def cast_wide(high, low, shift, mode, noise, limits):
    """Return ``(pattern of the code, overflowed, flushed to zero, inexact)`` of ``(high, low) * 2**-shift``."""
    negative = high < 0
    nonzero = high != 0 or low != U0
    huge = False
    inexact = False
    before_high, before_low = high, low
    if shift <= 0:
        if shift < 0 and nonzero:
            # bits lost on the left make the value huge; what stays is exact modulo 2**128
            places = -shift
            lead_high, lead_low = shift_right(high, low, 127 - min(places, 127))
            huge = places > 127 or not ((lead_high == 0 and lead_low == U0) or (lead_high == -1 and lead_low == ~U0))
            if places > 127:
                high, low = np.int64(0), U0
            else:
                high, low = shift_left(high, low, places)
        before_high, before_low = high, low
        if mode == JAM:
            low |= U1
    else:
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
        back_high, back_low = shift_left(floor_high, floor_low, shift)
        # the dropped part, aligned to the top of 128 bits
        part_high, part_low = shift_left(np.int64(high), low, 128 - shift)
        inexact = back_high != high or back_low != low
        aligned = np.uint64(part_high)
        tie = aligned == TOP and part_low == U0
        half = 0 if tie else (1 if aligned >= TOP else -1)
        up = rounds_up(mode, floor_low & U1 != U0, negative, inexact, half, np.int64(aligned >> np.uint64(32)), noise)
        before_high, before_low = floor_high, floor_low
        high, low = floor_high, floor_low
        if up:
            low += U1
            if low == U0:
                high += 1
    zero = not huge and high == 0 and low == U0
    sign = negative if huge else high < 0
    if mode == JAM:
        inexact = high != before_high or low != before_low or inexact
    if limits.signed:
        fits = high == (np.int64(low) >> np.int64(63)) and not huge
        fits = fits and np.int64(limits.least) <= np.int64(low) <= np.int64(limits.greatest)
    else:
        fits = high == 0 and not huge and low <= limits.greatest
    if fits:
        return low, False, zero and nonzero, inexact
    if limits.ap:
        _, deleted_low = shift_right(before_high, before_low, limits.word)
    else:
        _, deleted_low = shift_right(high, low, limits.word)
    code = outside_code(low, sign, deleted_low & U1 != U0, limits)
    return code, True, False, inexact


@kernel
def noise_word(i, words, key):
    """Random word of element ``i``: given, or from the stream."""
    word = np.int64(words[i]) if words.size > 0 else random_word(np.int64(i), key[0], key[1])
    return word & key[2]


random_word = kernel(random.random_word)


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
                high, low = np.int64(-1) if x[i] < 0 else np.int64(0), np.uint64(x[i])
            noise = noise_word(i, words, key) if mode >= STOCHASTIC else np.int64(0)
            code, over, flushed, inexact = cast_wide(high, low, shift, mode, noise, limits)
            out[i] = code
            counts[begin, 0] += over
            counts[begin, 1] += flushed
            counts[begin, 2] += inexact
