r"""How much a block of a tensor minds its quantization: numbers in units of a bit, the same on every platform.

Sums over a block are taken in binary64, element after element; logarithms by squaring, 12 fractional bits, so that no
math library and no order of a reduction decides.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fxpsim.registry import Registry

FRAC_BITS = 12
SMALLEST = 1e-12
"""Added before the logarithm, as in the released code."""

Blocks = NDArray[np.int64]
Floats = NDArray[np.float64]


class Sensitivity(Protocol):
    """Sensitivity of the blocks of a tensor, with ``FRAC_BITS`` fractional bits."""

    def __call__(self, tensor: Floats, gradient: Floats, tile: int, terms: float) -> Blocks:
        """Return one number per block of matrices (R, C, P), tiles over the first two axes.

        ``terms`` normalizes for how many products an element of the gradient sums.
        """
        ...


sensitivities: Registry[Any] = Registry("sensitivity")


@sensitivities.register("gradient_norm")
def gradient_norm(tensor: Floats, gradient: Floats, tile: int, terms: float) -> Blocks:
    r"""Return :math:`\log_2(\max|x| \, \|g\|_2 / C + 10^{-12})` of every block: DYNASTY, released research code.

    >>> x, g = np.ones((4, 4, 1)), np.full((4, 4, 1), 2.0)
    >>> (gradient_norm(x, g, 4, 1.0) / 2**FRAC_BITS).ravel().tolist()
    [3.0]
    """
    norm = np.sqrt(block_sums(gradient * gradient, tile))
    return log2(block_largest(tensor, tile) * norm / terms + SMALLEST)


@sensitivities.register("gradient_square")
def gradient_square(tensor: Floats, gradient: Floats, tile: int, terms: float) -> Blocks:
    r"""Return :math:`\log_2(\|g\|_2 / C + 10^{-12})`: the gradient alone (ours)."""
    return log2(np.sqrt(block_sums(gradient * gradient, tile)) / terms + SMALLEST)


@sensitivities.register("magnitude")
def magnitude(tensor: Floats, gradient: Floats, tile: int, terms: float) -> Blocks:
    r"""Return :math:`\log_2(\max|x| + 10^{-12})`: the tensor alone (ours)."""
    return log2(block_largest(tensor, tile) + SMALLEST)


def log2(x: Floats) -> Blocks:
    """Return floor(log2(x) * 2**12) of positive numbers.

    >>> (log2(np.array([1.0, 8.0, 3.0, 0.5])) / 2**12).round(3).tolist()
    [0.0, 3.0, 1.585, -1.0]
    """
    mantissa, exponent = np.frexp(x)
    mantissa, result = 2 * mantissa, exponent.astype(np.int64) - 1
    for _ in range(FRAC_BITS):
        mantissa = mantissa * mantissa
        over = mantissa >= 2
        result = 2 * result + over
        mantissa = np.where(over, mantissa / 2, mantissa)
    return result


def as_matrices(x: NDArray[Any], axes: tuple[int, int]) -> NDArray[Any]:
    """Return a tensor as (R, C, P): the two axes that tiles cover in front, all others as positions.

    >>> as_matrices(np.zeros((2, 3, 4, 5)), (0, -1)).shape
    (2, 5, 12)
    """
    if x.ndim <= 2:
        return x.reshape(*x.shape, *[1] * (3 - x.ndim))
    first = [axis % x.ndim for axis in axes]
    order = first + [axis for axis in range(x.ndim) if axis not in first]
    return x.transpose(order).reshape(x.shape[first[0]], x.shape[first[1]], -1)


def block_sums(x: Floats, tile: int) -> Floats:
    """Return the sum of every tile of (R, C, P), adding in a fixed order."""
    total = np.zeros((-(-x.shape[0] // tile), -(-x.shape[1] // tile), x.shape[2]))
    for i in range(tile):
        for j in range(tile):
            part = x[i::tile, j::tile]
            total[: part.shape[0], : part.shape[1]] += part
    return total


def block_largest(x: Floats, tile: int) -> Floats:
    """Return the largest magnitude of every tile of (R, C, P)."""
    largest = np.abs(x)
    for axis in (0, 1):
        largest = np.maximum.reduceat(largest, np.arange(0, x.shape[axis], tile), axis=axis)
    return largest
