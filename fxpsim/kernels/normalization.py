r"""Normalization in integers: from exact sums to 16-bit coefficients.

A normalized tensor is an affine map of every column (or row) of its input, :math:`y = a (x - \mu) + \beta` with
:math:`a = \gamma / \sqrt{\sigma^2 + \epsilon}`. The few numbers behind it are computed once a column in 64-bit
integers; the tensor itself then takes one 16 x 16-bit product, one shift and one addition an element.

A number here is a mantissa and a fraction length of its own, ``m * 2**-p``, the mantissa an int64 of at most 31 bits
where it is multiplied. Every function is plain Python as well (``.py_func``).
"""

from __future__ import annotations

import numpy as np

from fxpsim.kernels.jit import kernel

MANTISSA_BITS = 31
MAX_COEFFICIENT_SHIFT = 30
RUNNING_MEAN_BITS = 10  # fractional bits of a running mean, in units of the input's code
ADDEND_LIMIT = 2**30  # an addend below it cannot carry a 16 x 16-bit product out of 32 bits
LOWEST = -(2**31)


@kernel
def bit_length(v):
    """Bits of ``|v|``."""
    v = abs(v)
    n = 0
    while v > 0:
        v >>= 1
        n += 1
    return n


@kernel
def round_shift(v, shift):
    """``v * 2**-shift`` to nearest, ties to even; ``shift`` may be negative."""
    if shift <= 0:
        return v << min(-shift, 62)
    if shift > 62:
        return 0
    low = v >> shift
    part = v - (low << shift)
    half = 1 << (shift - 1)
    if part > half or (part == half and (low & 1) == 1):
        low += 1
    return low


@kernel
def shorten(m, p, bits):
    """Round a number to a mantissa of at most ``bits`` bits; returns (m, p)."""
    drop = bit_length(m) - bits
    if drop <= 0:
        return m, p
    m = round_shift(m, drop)
    if abs(m) >> bits:  # rounded up to a power of two
        return m >> 1, p - drop - 1
    return m, p - drop


@kernel
def multiply(m, p, n, q):
    """Product of two numbers, mantissa of at most 31 bits."""
    m, p = shorten(m, p, MANTISSA_BITS)
    n, q = shorten(n, q, MANTISSA_BITS)
    return shorten(m * n, p + q, MANTISSA_BITS)


@kernel
def divide_rounded(n, d):
    """``n / d`` to nearest, ties upwards, for ``|n| < 2**61`` and ``0 < d < 2**61``."""
    return (2 * n + d) // (2 * d)


@kernel
def square_root(v):
    """Floor of the square root of ``0 <= v < 2**62``, bit by bit."""
    root = 0
    bit = 1 << 60
    while bit > v:
        bit >>= 2
    while bit > 0:
        if v >= root + bit:
            v -= root + bit
            root = (root >> 1) + bit
        else:
            root >>= 1
        bit >>= 2
    return root


@kernel
def root_of_ratio(n, t):
    """``sqrt(n / t)`` for ``0 < n, t < 2**61`` as (mantissa of 30 or 31 bits, fraction length)."""
    up = 61 - bit_length(n)
    down = bit_length(t) - MANTISSA_BITS
    if (up + down) % 2:
        up -= 1
    n = n << up if up >= 0 else n >> -up
    t = round_shift(t, down)
    # the quotient of two numbers of 61 (60) and 31 bits, extended by 30 more: long division with digits of 30 bits
    quotient = ((n // t) << 30) + ((n % t) << 30) // t
    return square_root(quotient), (up + down + 30) // 2


@kernel
def batch_inverse_std(sums, squares, count, epsilon, epsilon_shift, deviations, roots, points):
    r"""Inverse standard deviation of every column from its exact sums.

    ``deviations[c]`` becomes :math:`\sum (x - \bar x)^2` (rounded to an integer), and ``roots[c] * 2**-points[c]``
    the inverse of :math:`\sqrt{(deviation + \epsilon) / count}`, all in units of the code; ``epsilon`` is scaled by
    ``count`` and holds ``-epsilon_shift`` fractional bits (an even number).
    """
    for c in range(sums.size):
        quotient = sums[c] // count
        rest = sums[c] - quotient * count
        # sum of (x - quotient)^2, then moved to the mean, which is rest / count further up
        spread = squares[c] - quotient * (sums[c] + rest)
        spread -= divide_rounded(rest * rest, count)
        deviations[c] = max(spread, 0)
        total = (deviations[c] >> epsilon_shift) + epsilon
        root, point = root_of_ratio(count, max(total, 1))
        roots[c] = root
        points[c] = point + epsilon_shift // 2


@kernel
def running_inverse_std(means, variances, epsilon, stored_frac_bits, frac_bits, sums, roots, points):
    """Inverse standard deviation and mean of every column from running statistics.

    The statistics are codes with ``stored_frac_bits`` (even), the variance's epsilon too; the input's codes have
    ``frac_bits``. ``sums`` becomes the mean in units of the input's code, with ``RUNNING_MEAN_BITS`` fractional bits.
    """
    limit = 1 << 46
    shift = stored_frac_bits - frac_bits - RUNNING_MEAN_BITS
    for c in range(means.size):
        if shift < 0 and abs(means[c]) >= limit >> min(-shift, 62):
            sums[c] = limit if means[c] > 0 else -limit
        else:
            sums[c] = round_shift(means[c], shift)
        root, point = root_of_ratio(1, max(variances[c] + epsilon, 1))
        roots[c] = root
        points[c] = point + frac_bits - stored_frac_bits // 2


@kernel
def forward_coefficients(
    sums, count, roots, points, low, high, gamma, gamma_frac_bits, beta, beta_frac_bits, bits, factors, shifts, addends
):
    """Coefficients of ``y = round(x * factor >> shift) + addend``; returns the fraction length of y.

    It is the largest at which no ``|y|`` needs more than ``bits`` bits, from the extremes of every column.
    """
    exponent = LOWEST
    for c in range(sums.size):
        m, p = _slope(gamma[c], gamma_frac_bits, roots[c], points[c], bits)
        reach = _reach(low[c], high[c], sums[c] // count)
        exponent = max(exponent, _sum_exponent(reach * abs(m), p, abs(beta[c]), beta_frac_bits))
    frac_bits = bits - exponent if exponent > LOWEST else bits
    for c in range(sums.size):
        m, p = _slope(gamma[c], gamma_frac_bits, roots[c], points[c], bits)
        m, shift = _as_word(m, p - frac_bits)
        offset = round_shift(beta[c], beta_frac_bits - frac_bits)
        factors[c], shifts[c] = m, shift
        addends[c] = _bounded(offset - divide_rounded(sums[c] * m, count << shift))
    return frac_bits


@kernel
def backward_coefficients(
    sums, count, roots, points, low, high, frac_bits, gamma, gamma_frac_bits,
    grad_sums, grad_products, grad_high, grad_frac_bits, bits, frozen,
    scales, factors, shifts, x_factors, x_shifts, addends,
):  # fmt: skip
    r"""Coefficients of ``dx = round(g * factor >> shift) + round(x * x_factor >> x_shift) + addend``.

    With :math:`a = \gamma r` (r the inverse standard deviation), :math:`G = \sum g` and
    :math:`H = \sum g (x - \bar x)` it is :math:`dx = a (g - G/n) - a r^2 (H/n) (x - \bar x)`; ``frozen`` statistics
    leave :math:`a g`. ``scales[:, 0]`` and ``scales[:, 1]`` become mantissa and fraction length of the gradient with
    respect to gamma, :math:`r H`. Returns the fraction length of dx.
    """
    exponent = LOWEST
    for c in range(sums.size):
        centered = _centered(grad_sums[c], grad_products[c], sums[c], count)
        r, point = roots[c], points[c]
        scales[c, 0], scales[c, 1] = multiply(centered, grad_frac_bits, r, point)
        # the slope in codes becomes one in real units: 2**frac_bits codes are 1
        m, p = _slope(gamma[c], gamma_frac_bits, r, point - frac_bits, bits)
        n, q = multiply(scales[c, 0], scales[c, 1], r, point)
        n, q = multiply(n, q, r, point - frac_bits)
        n, q = multiply(n, q, -gamma[c], gamma_frac_bits)
        n, q = shorten((n << 30) // count, q + 30, bits)
        if frozen:
            n, q = 0, 0
        factors[c], shifts[c] = m, p + grad_frac_bits
        x_factors[c], x_shifts[c] = n, q
        mean = 0 if frozen else abs(grad_sums[c]) // count + 1
        left = max(grad_high[c] + mean, 2) * abs(m)
        right = _reach(low[c], high[c], sums[c] // count) * abs(n)
        exponent = max(exponent, _sum_exponent(left, shifts[c], right, q))
    out_frac_bits = bits - exponent if exponent > LOWEST else bits
    for c in range(sums.size):
        factors[c], shifts[c] = _as_word(factors[c], shifts[c] - out_frac_bits)
        x_factors[c], x_shifts[c] = _as_word(x_factors[c], x_shifts[c] - out_frac_bits)
        if frozen:
            addends[c] = 0
        else:
            addends[c] = _bounded(
                -divide_rounded(grad_sums[c] * factors[c], count << shifts[c])
                - divide_rounded(sums[c] * x_factors[c], count << x_shifts[c])
            )
    return out_frac_bits


@kernel
def align(numbers, bits, out):
    """Bring numbers (rows of mantissa and fraction length) to a common fraction length, which it returns.

    It is the largest at which every code fits ``bits`` bits.
    """
    exponent = LOWEST
    for c in range(len(numbers)):
        if numbers[c, 0] != 0:
            exponent = max(exponent, bit_length(numbers[c, 0]) - numbers[c, 1])
    frac_bits = bits - exponent if exponent > LOWEST else bits
    limit = (1 << bits) - 1
    for c in range(len(numbers)):
        if numbers[c, 0] == 0:
            out[c] = 0
        else:
            out[c] = min(max(round_shift(numbers[c, 0], numbers[c, 1] - frac_bits), -limit), limit)
    return frac_bits


@kernel
def _slope(gamma, gamma_frac_bits, root, point, bits):
    """``gamma * root`` as a mantissa of ``bits`` bits."""
    m, p = multiply(gamma, gamma_frac_bits, root, point)
    return shorten(m, p, bits)


@kernel
def _reach(low, high, mean):
    """Largest distance of a code from the mean; at least 2, so that no shift is negative."""
    return max(max(high - mean, mean - low) + 1, 2)


@kernel
def _centered(grad_sum, product, total, count):
    """Sum of ``g (x - mean)``, rounded to an integer, from the sums of g and of ``g x``."""
    quotient = total // count
    rest = total - quotient * count
    # rest * grad_sum / count, in two parts that fit 64 bits
    whole = grad_sum // count
    left = grad_sum - whole * count
    return product - quotient * grad_sum - rest * whole - divide_rounded(rest * left, count)


@kernel
def _sum_exponent(m, p, n, q):
    """Least e such that ``m 2**-p + n 2**-q < 2**e`` up to 2**-27 of the sum; LOWEST for 0."""
    if m == 0 and n == 0:
        return LOWEST
    top = max(bit_length(m) - p if m else LOWEST, bit_length(n) - q if n else LOWEST)
    point = 30 - top
    a = round_shift(m, p - point) + 1 if m else 0
    b = round_shift(n, q - point) + 1 if n else 0
    return bit_length(a + b) - point


@kernel
def _as_word(m, shift):
    """Return a factor and a shift within 0 and ``MAX_COEFFICIENT_SHIFT``."""
    if m == 0:
        return 0, 0
    if shift > MAX_COEFFICIENT_SHIFT:
        return round_shift(m, shift - MAX_COEFFICIENT_SHIFT), MAX_COEFFICIENT_SHIFT
    return m, shift


@kernel
def _bounded(v):
    return min(max(v, -ADDEND_LIMIT), ADDEND_LIMIT)


def as_int64(array: np.ndarray) -> np.ndarray:
    """Return a contiguous int64 copy for the kernels above."""
    return np.ascontiguousarray(array, np.int64)
