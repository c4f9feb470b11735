r"""Product of two matrices of logarithmic codes: add codes, look up one octave, shift, accumulate integers.

A product of the codes p and q lies :math:`s = 2 c_{max} - |p| - |q|` units of :math:`1/\gamma` octave below the largest
possible one. With :math:`o = \lceil s / \gamma \rceil` octaves and the rest :math:`r = o \gamma - s` it is

.. math:: \pm 2^{-s / \gamma} = \pm 2^{-o} \, 2^{r / \gamma} \approx \pm 2^{-o} \, t_r / 2^b, \qquad
    t_r = \mathrm{round}(2^b \, 2^{r / \gamma})

a table of :math:`\gamma` integers and a shift. Terms are added in an integer accumulator with ``frac_bits`` below the
largest product; what a shift moves below its last place is dropped, toward zero. The scheme is LNS-Madam's (arXiv
2106.13914), reconstructed: the authors' code was not at hand; the widths of table and accumulator are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.errors import UserError
from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for
from fxpsim.quantizers.base import Encoded
from fxpsim.quantizers.logarithmic import Logarithmic, octave_points

ACCUMULATOR_BITS = 62


def logarithmic_matmul(a: Encoded, b: Encoded, *, table_bits: int = 8, frac_bits: int = 40) -> NDArray[np.float64]:
    """Return the product of two matrices of logarithmic codes, as integers of a table and shifts give it.

    Parameters
    ----------
    a, b : Encoded, (M, K) and (K, N)
        Logarithmic codes of one gamma and word length.
    table_bits : int
        Fractional bits of the table's entries.
    frac_bits : int
        Fractional bits of the accumulator, below the largest possible product.

    Returns
    -------
    ndarray of float64, (M, N)
        The accumulators' values, rounded once.

    Raises
    ------
    UserError
        If the operands do not fit, or sums might leave the accumulator of 63 bits.

    Examples
    --------
    >>> from fxpsim.quantizers.logarithmic import LogarithmicCodes
    >>> x = np.array([[4.0, -0.5], [1.0, 0.0]], np.float32)
    >>> e = LogarithmicCodes().encode(x, bits=8)
    >>> logarithmic_matmul(e, e).tolist()
    [[15.5, -2.0], [4.0, -0.5]]
    """
    left, right = _reading(a, "a"), _reading(b, "b")
    if (left.gamma, left.largest) != (right.gamma, right.largest) or a.shape[1:] != b.shape[:1]:
        raise UserError(
            f"codes {a.shape} of {left} and {b.shape} of {right}",
            where="logarithmic_matmul",
            expected="(M, K) and (K, N), with one gamma and word length",
        )
    sums, exponent = _sums(a.codes, left, b.codes, right, table_bits, frac_bits)
    return np.ldexp(sums.astype(np.float64), exponent)


@dataclass(frozen=True, kw_only=True)
class LogarithmicProducts:
    """How the MAC array of a training run multiplies logarithmic codes, see :func:`logarithmic_matmul`.

    Parameters
    ----------
    reading : Logarithmic
        How the codes are read.
    table_bits, frac_bits : int
        Widths of the table's entries and of the accumulator.
    """

    reading: Logarithmic
    table_bits: int = 8
    frac_bits: int = 40

    def values(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        """Return what the codes stand for."""
        return self.reading.values(codes)

    def matmul(self, a: NDArray[Any], b: NDArray[Any], other: LogarithmicProducts) -> tuple[NDArray[np.int64], int]:
        """Return the accumulators of (M, K) times (K, N) codes, and the binary exponent of their last place."""
        if (self.reading.gamma, self.reading.largest) != (other.reading.gamma, other.reading.largest):
            raise UserError(
                f"codes of {self.reading} and {other.reading}",
                where="MAC array of logarithmic codes",
                expected="one gamma and word length for all operands",
                remedy="give the streams weight, activation and error the same word_bits and gamma",
            )
        return _sums(a, self.reading, b, other.reading, self.table_bits, self.frac_bits)


def _sums(
    a: NDArray[Any], left: Logarithmic, b: NDArray[Any], right: Logarithmic, table_bits: int, frac_bits: int
) -> tuple[NDArray[np.int64], int]:
    terms = a.shape[1]
    if not 1 <= table_bits <= frac_bits or frac_bits + 1 + terms.bit_length() > ACCUMULATOR_BITS:
        raise UserError(
            f"table_bits is {table_bits}, frac_bits is {frac_bits} for sums of {terms} products",
            where="logarithmic_matmul",
            expected=f"1 <= table_bits <= frac_bits, and frac_bits below {ACCUMULATOR_BITS - terms.bit_length()}",
            remedy="use fewer fractional bits",
        )
    sums = np.empty((a.shape[0], b.shape[1]), np.int64)
    sizes = np.array([left.gamma, 2 * left.largest, frac_bits - table_bits], np.int64)
    table = product_table(left.gamma, table_bits)
    columns = np.ascontiguousarray(b.T.astype(np.int64))
    parallel_for(_products, len(sums), a.astype(np.int64), columns, table, sizes, sums)
    return sums, left.exponent + right.exponent - frac_bits


def product_table(gamma: int, table_bits: int) -> NDArray[np.int64]:
    """Return the table of one octave: ``2**(r / gamma)`` with ``table_bits`` fractional bits, to nearest.

    >>> product_table(4, 4).tolist()
    [16, 19, 23, 27]
    """
    return np.rint(np.ldexp(octave_points(gamma, halves=False), table_bits)).astype(np.int64)


def _reading(encoded: Encoded, name: str) -> Logarithmic:
    if not isinstance(encoded.reading, Logarithmic) or encoded.codes.ndim != 2:
        raise UserError(
            f"operand {name} has {type(encoded.reading).__name__.lower()} codes of shape {encoded.shape}",
            where="logarithmic_matmul",
            expected="a matrix of logarithmic codes",
        )
    return encoded.reading


@kernel
def _products(begin, end, a, b, table, sizes, out):
    gamma, top, places = sizes[0], sizes[1], sizes[2]
    for m in range(begin, end):
        xs = a[m]
        for n in range(b.shape[0]):
            ys = b[n]
            total = np.int64(0)
            for k in range(xs.size):
                x, y = xs[k], ys[k]
                if x != 0 and y != 0:
                    below = top - abs(x) - abs(y)
                    octaves = (below + gamma - 1) // gamma
                    term = table[octaves * gamma - below]
                    shift = places - octaves
                    term = term << shift if shift >= 0 else term >> min(-shift, 63)
                    total += term if (x > 0) == (y > 0) else -term
            out[m, n] = total
