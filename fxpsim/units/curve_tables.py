"""Tables of the smooth curves for the fixed-point unit, in decimal arithmetic: the same on every machine.

Linear interpolation between nodes h apart errs by at most ``h**2 / 8 max|f''|``: below 2**-15 for every table here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import cache

import numpy as np

from fxpsim.array.functions.tables import DIGITS, FUNCTIONS
from fxpsim.kernels.curves import Curve

NODE_FRAC_BITS = 24
INTERVALS_LOG2 = 10
_ROOT_2_PI = Decimal("2.50662827463100050241576528481104525300698674060993831662992357634229365")


@dataclass(frozen=True, kw_only=True, eq=False)
class CurveTable:
    """A curve on ``[0, 2**span_log2]``, and how it goes on for negative arguments.

    Parameters
    ----------
    nodes : ndarray of int64
        ``2**INTERVALS_LOG2 + 1`` values with ``NODE_FRAC_BITS`` fractional bits.
    span_log2 : int
        Where the last node is.
    reflect : int
        ``f(-x) = offset + reflect f(x)``.
    offset : int
        See ``reflect``; a code like the nodes.
    """

    nodes: np.ndarray
    span_log2: int
    reflect: int
    offset: int


@cache
def curve_table(curve: Curve) -> CurveTable:
    """Return the table of a curve.

    >>> table = curve_table(Curve.SIGMOID)
    >>> int(table.nodes[0]) == 2 ** (NODE_FRAC_BITS - 1), table.nodes.size
    (True, 1025)
    """
    span_log2 = 4 if curve is Curve.SIGMOID else 3
    one = 2**NODE_FRAC_BITS
    with localcontext() as context:
        context.prec = DIGITS
        step = Decimal(2) ** (span_log2 - INTERVALS_LOG2)
        values = [_value(curve, i * step) * one for i in range(2**INTERVALS_LOG2 + 1)]
        nodes = [int(v.to_integral_value(rounding=ROUND_HALF_EVEN)) for v in values]
    reflect = 1 if curve is Curve.NORMAL_DENSITY else -1
    offset = one if curve in (Curve.SIGMOID, Curve.NORMAL_CDF) else 0
    return CurveTable(nodes=np.array(nodes, np.int64), span_log2=span_log2, reflect=reflect, offset=offset)


def _value(curve: Curve, x: Decimal) -> Decimal:
    match curve:
        case Curve.SIGMOID:
            return FUNCTIONS["sigmoid"][0](x)
        case Curve.TANH:
            return FUNCTIONS["tanh"][0](x)
        case Curve.NORMAL_CDF:
            # the GELU of -x is -x times the share above x
            return 1 + FUNCTIONS["gelu"][0](x) / x if x else Decimal("0.5")
        case Curve.NORMAL_DENSITY:
            return (-x * x / 2).exp() / _ROOT_2_PI
