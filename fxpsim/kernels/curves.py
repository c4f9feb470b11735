"""Smooth activation curves, element by element: table look-up in integers, and our own series for floats.

The float curves are computed in binary64 by additions, products and divisions alone, and rounded once to binary32, so
that their bits do not depend on the platform's mathematical library.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache

import numpy as np

from fxpsim.kernels.functions import look_up
from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for

UNIT = 4096
CAP = 1 << 40


class Curve(IntEnum):
    """The curves of the vector unit."""

    SIGMOID = 0  # 1 / (1 + exp(-x))
    TANH = 1
    NORMAL_CDF = 2  # share of the standard normal distribution below x
    NORMAL_DENSITY = 3  # its density, exp(-x^2 / 2) / sqrt(2 pi)


def curve_fixed(x: np.ndarray, nodes: np.ndarray, shift: int, reflect: int, offset: int, drop: int) -> np.ndarray:
    """Look codes up in a table of ``f(|x|)`` and round to ``drop`` fewer fractional bits than its nodes have.

    Parameters
    ----------
    x : ndarray
        Codes.
    nodes : ndarray of int64
        Values; neighbors are ``2**shift`` codes apart (``shift`` may be negative), constant beyond the last.
    shift : int
        See ``nodes``.
    reflect, offset : int
        ``f(-x) = offset + reflect f(x)`` with ``reflect`` 1 or -1; ``offset`` as a node.
    drop : int
        Bits to drop, at least 1; to nearest, ties upwards.
    """
    out = np.empty(x.shape, np.int32)
    sizes = np.array([max(shift, 0), min(max(-shift, 0), 40), reflect, offset, drop], np.int64)
    parallel_for(_fixed, -(-x.size // UNIT), sizes, x.reshape(-1), nodes, out.reshape(-1))
    return out


def curve_float(x: np.ndarray, curve: Curve) -> np.ndarray:
    """Return the curve of binary32 numbers, off by less than 1.6e-7 (the distribution) or 1 unit in the last place.

    >>> curve_float(np.array([0, 1], np.float32), Curve.SIGMOID)
    array([0.5      , 0.7310586], dtype=float32)
    """
    out = np.empty(x.shape, np.float32)
    parallel_for(_float, -(-x.size // UNIT), np.int64(curve), x.reshape(-1), _powers(), out.reshape(-1))
    return out


@cache
def _powers() -> np.ndarray:
    """Return ``2**-n`` for n = 0..1074, exactly."""
    return np.ldexp(1.0, -np.arange(1075))


@kernel
def _fixed(begin, end, sizes, x, nodes, out):
    shift, up, reflect, offset, drop = sizes
    half = np.int64(1) << (drop - 1)
    for i in range(begin * UNIT, min(end * UNIT, x.size)):
        v = np.int64(x[i])
        # a step of less than a code: the codes move up, and far ones end at the last node all the same
        value = look_up(abs(v) if up == 0 else min(abs(v) << up, CAP), nodes, shift)
        if v < 0:
            value = offset + reflect * value
        out[i] = (value + half) >> drop


@kernel
def exp_falling(x, powers):
    """``exp(x)`` in binary64 for ``x <= 0``, to a few units in the last place."""
    if x < -700.0:
        return 0.0
    n = np.rint(x * 1.4426950408889634)
    r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10
    y = 1.0
    for k in range(13, 0, -1):
        y = y * r / k + 1.0
    return y * powers[-np.int64(n)]


@kernel
def _above(v, curve, powers):
    """The curve at ``v >= 0``."""
    if curve == 0:
        return 1.0 / (1.0 + exp_falling(-v, powers))
    if curve == 1:
        if v < 0.01:  # 1 - exp(-2 v) cancels there
            square = v * v
            return v * (1.0 - square / 3.0 + 2.0 * square * square / 15.0)
        power = exp_falling(-2.0 * v, powers)
        return (1.0 - power) / (1.0 + power)
    density = exp_falling(-0.5 * v * v, powers)
    if curve == 3:
        return density * 0.3989422804014327
    # Abramowitz and Stegun, 7.1.26, with erf's argument v / sqrt(2)
    t = 1.0 / (1.0 + 0.3275911 * v * 0.7071067811865476)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return 1.0 - 0.5 * poly * density


@kernel
def _float(begin, end, curve, x, powers, out):
    for i in range(begin * UNIT, min(end * UNIT, x.size)):
        v = np.float64(x[i])
        value = _above(abs(v), curve, powers)
        if v < 0:
            if curve == 1:
                value = -value
            elif curve != 3:
                value = 1.0 - value
        out[i] = np.float32(value)
