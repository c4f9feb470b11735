"""Non-linear functions on integer codes: table look-up with interpolation, and digit recurrences.

Integers only. Results are wide: they carry guard bits behind the last place of the format that they are cast to.
The digit recurrences leave a sticky bit there, so that the cast rounds them correctly in every mode.
"""

import numpy as np

from fxpsim.kernels.jit import kernel

UNIT = 4096  # elements per unit of work
HUGE = 1 << 61  # stands for a value beyond every format: the cast saturates it
MANTISSA = 32  # fractional bits of a normalized mantissa: products with table differences stay below 2**62


@kernel
def look_up(magnitude, nodes, shift):
    """Interpolate linearly between nodes that are ``2**shift`` codes apart; constant beyond the last one."""
    i = magnitude >> shift
    last = nodes.size - 1
    if i >= last:
        return nodes[last]
    part = magnitude - (i << shift)
    return nodes[i] + (((nodes[i + 1] - nodes[i]) * part) >> shift)


@kernel
def leading_bit(code):
    """Position of the first one of a positive code."""
    place = 0
    for step in (32, 16, 8, 4, 2, 1):
        if code >> step > 0:
            code >>= step
            place += step
    return place


@kernel
def move_sticky(code, places):
    """``code * 2**places`` of a code from 0; what drops out is remembered in the last bit."""
    if places >= 0:
        return np.int64(HUGE) if code > 0 and leading_bit(code) + places >= 61 else code << min(places, 61)
    drop = min(-places, 62)
    kept = code >> drop
    return kept | (kept << drop != code)


@kernel
def integer_root(n):
    """Largest whole number whose square is at most ``n`` (below 2**62), bit by bit."""
    root = np.int64(0)
    bit = np.int64(1) << (leading_bit(n) & ~1) if n > 0 else np.int64(0)
    while bit > 0:
        if n >= root + bit:
            n -= root + bit
            root = (root >> 1) + bit
        else:
            root >>= 1
        bit >>= 2
    return root


@kernel
def symmetric(begin, end, x, out, nodes, shift, odd, offset, identity):
    """Table of ``|x|`` and a symmetry: ``f(|x|)``, and for negative x ``-f(|x|) + offset`` if ``odd``.

    ``identity`` (-1: none) places ``max(x, 0)`` is shifted left before it is added.
    """
    for i in range(begin * UNIT, min(end * UNIT, x.size)):
        value = look_up(abs(x[i]), nodes, shift)
        if odd and x[i] < 0:
            value = offset - value
        if identity >= 0:
            value += max(x[i], 0) << identity
        out[i] = value


@kernel
def power_of_two(begin, end, x, out, nodes, shift, factor, drop, exponent_bits, frac_bits):
    """``2**(x * factor >> drop)`` with ``frac_bits`` fractional bits; nodes hold 2**f on [0, 1] with MANTISSA bits.

    The exponent has ``exponent_bits`` fractional bits; nodes are ``2**shift`` of its units apart.
    """
    mask = (np.int64(1) << exponent_bits) - 1
    for i in range(begin * UNIT, min(end * UNIT, x.size)):
        exponent = (x[i] * factor) >> drop
        whole = exponent >> exponent_bits
        mantissa = look_up(exponent & mask, nodes, shift)
        out[i] = move_sticky(mantissa, max(whole, -200) + frac_bits - MANTISSA)


@kernel
def logarithm(begin, end, x, out, nodes, shift, x_frac_bits):
    """``log2(x)`` with the nodes' fractional bits; minus HUGE for zero.

    Nodes hold log2(m) on [1, 2], ``2**shift`` units of the mantissa apart.
    """
    one = np.int64(1) << MANTISSA
    whole_step = nodes[nodes.size - 1]  # log2(2)
    for i in range(begin * UNIT, min(end * UNIT, x.size)):
        if x[i] <= 0:
            out[i] = -HUGE
        else:
            place = leading_bit(x[i])
            mantissa = x[i] << (MANTISSA - place)
            out[i] = (place - x_frac_bits) * whole_step + look_up(mantissa - one, nodes, shift)


@kernel
def scaled(begin, end, x, out, factor, drop):
    """``x * factor >> drop``; HUGE stays."""
    for i in range(begin * UNIT, min(end * UNIT, x.size)):
        out[i] = x[i] if abs(x[i]) == HUGE else (x[i] * factor) >> drop


@kernel
def quotient(begin, end, numerator, x, out):
    """``numerator / x`` toward zero with a sticky last bit, as a divider leaves it; zero divisors give HUGE.

    ``numerator`` has one element or as many as ``x``.
    """
    for i in range(begin * UNIT, min(end * UNIT, x.size)):
        top = numerator[i] if numerator.size > 1 else numerator[0]
        if x[i] == 0:
            out[i] = HUGE
        else:
            magnitude = abs(x[i])
            result = (top // magnitude) << 1
            result |= top % magnitude != 0
            out[i] = result if x[i] > 0 else -result


@kernel
def square_root(begin, end, x, out, places):
    """Root of ``x * 2**places`` with a sticky last bit."""
    for i in range(begin * UNIT, min(end * UNIT, x.size)):
        n = x[i] << places if places >= 0 else x[i] >> -places
        root = integer_root(n)
        exact = root * root == n and (places >= 0 or n << -places == x[i])
        out[i] = (root << 1) | (not exact)


@kernel
def reciprocal_root(begin, end, x, out, places):
    """Root of ``2**places / x``, places from 0 to 61, with a sticky last bit; zero gives HUGE."""
    for i in range(begin * UNIT, min(end * UNIT, x.size)):
        if x[i] <= 0:
            out[i] = HUGE
        else:
            n = (np.int64(1) << places) // x[i]
            root = integer_root(n)
            exact = root * root == n and n * x[i] == np.int64(1) << places
            out[i] = (root << 1) | (not exact)
