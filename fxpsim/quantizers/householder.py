r"""The row transform of block Householder quantization.

Within a group of n rows, :math:`T = H S` with :math:`S = \mathrm{diag}(1, \rho, \dots, \rho)` and the reflection
:math:`H = I - u u^T / (1 - 1/\sqrt n)`, :math:`u = e_1 - \mathbf 1 / \sqrt n`, which maps the large row to the constant
vector and so spreads it over all rows. It is applied in O(N D) as

.. math:: t = x_1 - \frac{\sum_{j \ge 2} x_j}{\sqrt n - 1}, \qquad (H x)_1 = x_1 - (1 - 1/\sqrt n) t, \quad
    (H x)_j = x_j + t / \sqrt n

with every operation rounded to binary64 and the sum from left to right. H is its own inverse.

The ratio of the scales is the stationary point of the variance bound: with the ranges :math:`\lambda_1` of the large
row and :math:`\lambda_2` of the largest small one, :math:`\rho = ((n-1) w_1 / w_2)^{1/3}`, :math:`w_1 = \lambda_1 /
\sqrt n`, :math:`w_2 = \lambda_2 \max |H|`. (The published code multiplies both scales by a common factor, which the
per-row steps that follow undo.)

Source: Chen et al., arXiv 2010.14298, after the authors' code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fxpsim.kernels.coding.householder import Groups, unmixed
from fxpsim.quantizers.row_groups import row_groups

Rows = NDArray[np.float64]
LEAST_SHARE = 2.0**-60
"""Rows smaller than this share of the large row count as of this size: the ratio of the scales stays below 2**26."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockHouseholder:
    """The transform of all groups.

    Parameters
    ----------
    groups : list of ndarray of int64
        Rows of each group, the large one first.
    ratios : list of float
        Scale of a group's small rows against its large row.

    Examples
    --------
    >>> x = np.array([[8.0], [0.0], [0.0], [0.0]])
    >>> transform = BlockHouseholder(groups=[np.arange(4)], ratios=[1.0])
    >>> transform.apply(x).ravel().tolist(), transform.inverse(transform.apply(x)).ravel().tolist()
    ([4.0, 4.0, 4.0, 4.0], [8.0, 0.0, 0.0, 0.0])
    """

    groups: list[NDArray[np.int64]]
    ratios: list[float]

    @cached_property
    def joined(self) -> Groups:
        """The groups as kernels take them."""
        starts = np.cumsum([0] + [len(group) for group in self.groups])
        return Groups(np.concatenate(self.groups), starts, np.array(self.ratios, np.float64))

    def apply(self, x: Rows) -> Rows:
        """Return ``T x``."""
        y = x.astype(np.float64)
        for group, ratio in zip(self.groups, self.ratios, strict=True):
            if len(group) > 1:
                y[group[1:]] *= ratio
                _reflect(y, group)
        return y

    def inverse(self, y: Rows) -> Rows:
        """Return ``T^-1 y``."""
        return unmixed(np.ascontiguousarray(y, np.float64), self.joined, np.float64)

    def inverse_rounded(self, y: Rows) -> NDArray[np.float32]:
        """Return ``T^-1 y``, rounded to binary32."""
        return unmixed(y, self.joined, np.float32)

    def inverse_bound(self, bound: Rows) -> Rows:
        """Return the bound of errors behind the inverse: absolute entries of the matrix times ``bound``."""
        out = bound.astype(np.float64)
        for group, ratio in zip(self.groups, self.ratios, strict=True):
            n = len(group)
            if n > 1:
                part = np.abs(reflection(n)) @ bound[group]
                part[1:] /= ratio
                out[group] = part
        return out


def block_householder(sizes: NDArray[np.float64]) -> BlockHouseholder:
    """Return the transform for rows of these ranges."""
    groups = row_groups(sizes)
    return BlockHouseholder(groups=groups, ratios=[_ratio(sizes, group) for group in groups])


def reflection(n: int) -> NDArray[np.float64]:
    """Return the Householder matrix of a group of n rows."""
    u = np.full(n, -1 / math.sqrt(n))
    u[0] += 1.0
    return np.eye(n) - np.outer(u, u) / (1.0 - 1.0 / math.sqrt(n))


def _ratio(sizes: NDArray[np.float64], group: NDArray[np.int64]) -> float:
    n = len(group)
    if n == 1:
        return 1.0
    root = math.sqrt(n)
    first = float(sizes[group[0]])
    second = max(float(sizes[group[1]]), first * LEAST_SHARE)
    largest_entry = max(1.0 / root, abs(1.0 - 1.0 / (n - root)))
    return cube_root((n - 1) * (first / root) / (second * largest_entry))


def cube_root(x: float) -> float:
    """Return the cube root of a positive number to about one unit in the last place, the same on every platform.

    Newton's iteration in binary64 from a power of two; ``math.cbrt`` is the platform's.

    >>> cube_root(27.0), cube_root(0.125)
    (3.0, 0.5)
    """
    y = math.ldexp(1.0, math.frexp(x)[1] // 3)
    for _ in range(7):
        y = (2.0 * y + x / (y * y)) / 3.0
    return y


def _reflect(y: Rows, group: NDArray[np.int64]) -> None:
    n = len(group)
    root = math.sqrt(n)
    total = y[group[1]].copy()
    for row in group[2:]:
        total += y[row]
    t = y[group[0]] - total / (root - 1.0)
    y[group[0]] -= (1.0 - 1.0 / root) * t
    y[group[1:]] += t / root
