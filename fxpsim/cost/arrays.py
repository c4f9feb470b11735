"""Types and exact helpers of the cost formulas, which are written on arrays of settings."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# pandas has no complete types; its frames pass the strict checker as Any.
Frame = Any


def ceil_div(value: Ints | int, by: Ints | int) -> Ints:
    """Return ``ceil(value / by)`` of non-negative integers, exactly.

    >>> ceil_div(np.array([0, 7, 8]), 4).tolist()
    [0, 2, 2]
    """
    return np.asarray(-(-np.asarray(value, np.int64) // np.asarray(by, np.int64)))


def round_up(value: Ints | int, to: Ints | int) -> Ints:
    """Return ``value`` rounded up to a multiple of ``to``."""
    return ceil_div(value, to) * np.asarray(to, np.int64)


def ceil_ints(value: Floats) -> Ints:
    """Return ``ceil(value)`` as integers; a value within 1e-9 of an integer is that integer.

    >>> ceil_ints(np.array([2.0000000000001, 2.1])).tolist()
    [2, 3]
    """
    return np.ceil(value * (1 - 1e-12) - 1e-9).astype(np.int64)


def exact_total(values: Ints, weights: Ints) -> int:
    """Return ``sum(values * weights)`` as a Python integer, whatever its size.

    >>> exact_total(np.array([2**62, 1]), np.array([8, 1])) == 2**65 + 1
    True
    """
    largest = float(np.max(np.abs(values), initial=0)) * float(np.sum(weights))
    if largest < 2.0**62:
        return int(np.dot(values, weights))
    return sum(int(value) * int(weight) for value, weight in zip(values.tolist(), weights.tolist(), strict=True))


def float_total(values: Floats, weights: Ints) -> float:
    """Return ``sum(values * weights)``, correctly rounded after the products."""
    return math.fsum((values * weights).tolist())
