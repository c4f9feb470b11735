r"""How much a block of a tensor minds its quantization: numbers in units of a bit, the same on every platform.

All is computed in binary64 (:mod:`fxpsim.kernels.tiles_seen`), logarithms to 12 fractional bits.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.tiles_seen import logarithms, tile_largest, tile_squares
from fxpsim.registry import Registry

FRAC_BITS = 12
SMALLEST = 1e-12
"""Added before the logarithm, as in the released code."""

Blocks = NDArray[np.int64]
Floats = NDArray[np.floating]


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
    norm = np.sqrt(tile_squares(gradient, tile))
    return log2(tile_largest(tensor, tile) * norm / terms + SMALLEST)


@sensitivities.register("gradient_square")
def gradient_square(tensor: Floats, gradient: Floats, tile: int, terms: float) -> Blocks:
    r"""Return :math:`\log_2(\|g\|_2 / C + 10^{-12})`: the gradient alone (ours)."""
    return log2(np.sqrt(tile_squares(gradient, tile)) / terms + SMALLEST)


@sensitivities.register("magnitude")
def magnitude(tensor: Floats, gradient: Floats, tile: int, terms: float) -> Blocks:
    r"""Return :math:`\log_2(\max|x| + 10^{-12})`: the tensor alone (ours)."""
    return log2(tile_largest(tensor, tile) + SMALLEST)


def log2(x: Floats) -> Blocks:
    """Return floor(log2(x) * 2**12) of positive numbers.

    >>> (log2(np.array([1.0, 8.0, 3.0, 0.5])) / 2**12).round(3).tolist()
    [0.0, 3.0, 1.585, -1.0]
    """
    return logarithms(x, FRAC_BITS)


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
