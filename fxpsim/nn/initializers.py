"""Initial values of parameters: float64, from counter-based random bits and correctly rounded operations only."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fxpsim.numerics import RandomBits


def zeros(shape: tuple[int, ...], random: RandomBits) -> np.ndarray:
    """Return zeros."""
    return np.zeros(shape)


def ones(shape: tuple[int, ...], random: RandomBits) -> np.ndarray:
    """Return ones."""
    return np.ones(shape)


def uniform(shape: tuple[int, ...], random: RandomBits) -> np.ndarray:
    """Return independent numbers, uniform on a grid of ``2**32`` points in (-1, 1), symmetric around 0."""
    words = random.words(math.prod(shape)).astype(np.float64).reshape(shape)
    return (words + 0.5) * 2.0**-31 - 1.0


def he_uniform(shape: tuple[int, ...], random: RandomBits) -> np.ndarray:
    r"""Uniform on :math:`\pm\sqrt{6 / fan_{in}}` (He et al., "Delving deep into rectifiers", 2015, eq. 10).

    The fan-in is the product of all axes but the last: kernels are (R, S, C, K), matrices (in, out).

    >>> he_uniform((6, 2), RandomBits(seed=1)).shape
    (6, 2)
    """
    return uniform(shape, random) * math.sqrt(6.0 / math.prod(shape[:-1]))


def glorot_uniform(shape: tuple[int, ...], random: RandomBits) -> np.ndarray:
    r"""Uniform on :math:`\pm\sqrt{6 / (fan_{in} + fan_{out})}` (Glorot and Bengio 2010, eq. 16)."""
    return uniform(shape, random) * math.sqrt(6.0 / (math.prod(shape[:-1]) + shape[-1]))


def scaled_uniform(limit: float) -> Callable[[tuple[int, ...], RandomBits], np.ndarray]:
    """Return an initializer that is uniform on ``(-limit, limit)``.

    >>> bool(abs(scaled_uniform(0.5)((4,), RandomBits(seed=1))).max() < 0.5)
    True
    """

    def initializer(shape: tuple[int, ...], random: RandomBits) -> np.ndarray:
        return uniform(shape, random) * limit

    return initializer
