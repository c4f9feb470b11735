"""Tables of function values, computed in decimal arithmetic: the same on every machine."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DIGITS = 60


def _sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


def _tanh(x: Decimal) -> Decimal:
    power = (-2 * x).exp()
    return (1 - power) / (1 + power)


def _erf(x: Decimal) -> Decimal:
    """Maclaurin series of the error function (Abramowitz and Stegun, 7.1.6): all terms positive."""
    term = total = x
    n = 0
    while term > Decimal(10) ** (5 - DIGITS):
        n += 1
        term = term * 2 * x * x / (2 * n + 1)
        total += term
    return total * 2 / _PI.sqrt() * (-x * x).exp()


def _negative_gelu(x: Decimal) -> Decimal:
    """GELU of ``-x``: ``-x * Phi(-x)``."""
    return -x * (1 - _erf(x / Decimal(2).sqrt())) / 2


_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")
_LN2 = Decimal("0.69314718055994530941723212145817656807550013436025525412068000949339362196969471560586")

# name -> the function, and a bound of its second derivative where it is looked up
FUNCTIONS: dict[str, tuple[Callable[[Decimal], Decimal], float]] = {
    "sigmoid": (_sigmoid, 0.0963),
    "tanh": (_tanh, 0.7699),
    "gelu": (_negative_gelu, 0.7979),
    "exp2": (lambda x: (x * _LN2).exp(), 0.961),
    "log2": (lambda x: (1 + x).ln() / _LN2, 1.4427),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Function values at nodes that are ``2**shift`` input codes apart.

    Parameters
    ----------
    nodes : ndarray of int64
        Values with ``frac_bits`` fractional bits.
    shift : int
        log2 of the distance of the nodes in input codes: bits that are interpolated.
    frac_bits : int
        Fractional bits of the nodes.
    """

    nodes: NDArray[np.int64]
    shift: int
    frac_bits: int

    @property
    def entries(self) -> int:
        """Number of nodes."""
        return self.nodes.size

    @property
    def entry_bits(self) -> int:
        """Length of the longest entry, the sign included."""
        return int(np.abs(self.nodes).max()).bit_length() + 1


@lru_cache(maxsize=64)
def make_table(name: str, *, input_frac_bits: int, span_log2: int, frac_bits: int, error_log2: int) -> Table:
    """Return the table of ``name`` on ``[0, 2**span_log2]``.

    Linear interpolation errs by at most ``h**2 / 8 * max|f''|`` for nodes ``h`` apart; ``h`` is the largest power of
    two that keeps this below ``2**error_log2``.

    >>> table = make_table("exp2", input_frac_bits=16, span_log2=0, frac_bits=20, error_log2=-18)
    >>> table.entries, int(table.nodes[0]), int(table.nodes[-1])
    (257, 1048576, 2097152)
    """
    function, curvature = FUNCTIONS[name]
    distance_log2 = 0
    while curvature * 4.0**distance_log2 / 8 > 2.0**error_log2:
        distance_log2 -= 1
    shift = min(max(distance_log2 + input_frac_bits, 0), span_log2 + input_frac_bits)
    count = 1 << (span_log2 + input_frac_bits - shift)
    with localcontext() as context:
        context.prec = DIGITS
        step = Decimal(2) ** (shift - input_frac_bits)
        unit = Decimal(2) ** frac_bits
        nodes = [int((function(i * step) * unit).to_integral_value(rounding=ROUND_HALF_EVEN)) for i in range(count + 1)]
    return Table(nodes=np.array(nodes, np.int64), shift=shift, frac_bits=frac_bits)


@lru_cache(maxsize=16)
def constant(name: str, frac_bits: int) -> int:
    """Return ``log2(e)`` or ``ln(2)`` as a code.

    >>> constant("ln2", 8), constant("log2e", 8)
    (177, 369)
    """
    with localcontext() as context:
        context.prec = DIGITS
        value = _LN2 if name == "ln2" else 1 / _LN2
        return int((value * Decimal(2) ** frac_bits).to_integral_value(rounding=ROUND_HALF_EVEN))
