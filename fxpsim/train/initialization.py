r"""TNVS, the initialization of ADEPT: truncated normal with variance scaling.

.. math:: w \sim TN\left(0, \sqrt{s / n_{in}}, \pm\sqrt{3 s / n_{in}}\right)

Source: Kummer et al., arXiv 2107.13490, with s = 0.5 from the released code. Drawn by rejection with counter-based
random bits; the density comes from a polynomial, so that no math library decides what is accepted.
"""

from __future__ import annotations

import math

import numpy as np

from fxpsim.numerics import RandomBits

DEGREE = 20  # of the Taylor polynomial of exp on [-1.5, 0]: error below 1e-15


def truncated_normal(count: int, random: RandomBits) -> np.ndarray:
    """Return standard normal numbers, conditioned on ``|x| < sqrt(3)``.

    >>> x = truncated_normal(10_000, RandomBits(seed=1))
    >>> bool(np.abs(x).max() < 3**0.5), round(float(x.std()), 1)
    (True, 0.8)
    """
    out = np.empty(count)
    missing = np.arange(count)
    attempt = 0
    while missing.size:
        tries = random.derive("attempt", attempt)
        x = ((tries.derive("place").words(missing.size) + 0.5) * 2.0**-31 - 1.0) * math.sqrt(3.0)
        u = (tries.derive("height").words(missing.size) + 0.5) * 2.0**-32
        accepted = u < _exp(-0.5 * x * x)
        out[missing[accepted]] = x[accepted]
        missing = missing[~accepted]
        attempt += 1
    return out


def tnvs(shape: tuple[int, ...], random: RandomBits, scale: float) -> np.ndarray:
    """Return initial weights; the fan-in is the product of all axes but the last.

    Parameters
    ----------
    shape : tuple of int
        Kernels are (R, S, C, K), matrices (in, out).
    random : RandomBits
        Random bits of the tensor.
    scale : float
        s of the formula.
    """
    deviation = math.sqrt(scale / math.prod(shape[:-1]))
    return truncated_normal(math.prod(shape), random).reshape(shape) * deviation


def _exp(x: np.ndarray) -> np.ndarray:
    total = np.ones_like(x)
    for n in range(DEGREE, 0, -1):
        total = 1.0 + total * x / n
    return total
