"""What a method does to a gradient besides quantizing it: L1 decay, and division by its norm."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.policies import Sample
from fxpsim.policies.sample import magnitude, square_sum
from fxpsim.units import Value

ROOT_BITS = 32


def with_l1(vector: Any, gradient: Value, weights: Sample, decay: Fraction) -> Value:
    """Return the gradient with that of ``decay * sum|w|`` added: ``decay * sign(w)``, nothing where w is zero."""
    signs = vector.load(np.sign(weights.array).astype(np.int8), 0)
    return vector.add(gradient, vector.scale(signs, decay))


def l1_norm(weights: Sample) -> Fraction:
    """Return ``sum|w|``, from integers.

    >>> l1_norm(Sample(np.array([0.5, -0.25], np.float32), None))
    Fraction(3, 4)
    """
    codes, frac_bits = weights.integers()
    return Fraction(magnitude(codes)) / Fraction(2) ** frac_bits


def normalized(vector: Any, gradient: Value) -> Value:
    """Return the gradient divided by its Euclidean norm; a gradient of zeros stays as it is.

    The norm is an integer root of an exact sum of squares; the unit multiplies by its inverse in its own precision.
    """
    codes, frac_bits = Sample(vector.array(gradient), gradient.frac_bits).integers()
    squares = square_sum(codes)
    if squares == 0:
        return gradient
    root = math.isqrt(squares << (2 * ROOT_BITS))
    return vector.scale(gradient, Fraction(1 << ROOT_BITS, root) * Fraction(2) ** frac_bits)
