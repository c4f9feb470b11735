r"""Rows mixed by Hadamard matrices of +-1, scales that are powers of two: our shift-and-add counterpart of BHQ.

Groups are those of :func:`fxpsim.quantizers.row_groups.row_groups` on the powers of two above the rows' largest
magnitudes, each cut to :math:`n = 2^k` rows (rows cut off stay by themselves). In a group

.. math:: T = H_n \, \mathrm{diag}(1, 2^r, \dots, 2^r), \qquad T^{-1} = \mathrm{diag}(1, 2^{-r}, \dots) \, H_n / 2^k,
    \qquad r = \lfloor (2 (e_1 - e_2) + k) / 6 \rfloor

with :math:`e_1, e_2` the leading exponents of the large row and of the largest small one: BHQ's cube root law for
entries :math:`\pm 1/\sqrt n`, in integers. Additions, subtractions and shifts only, and exact on integer codes
(binary64 input rounds every addition). The transformed rows get power-of-two steps
(:mod:`fxpsim.quantizers.power_of_two_rows`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fxpsim.array import QTensor
from fxpsim.numerics import RandomBits, Rounding
from fxpsim.quantizers.base import Array, Bits, Encoded, Evidence, TensorQuantizer
from fxpsim.quantizers.exponents import leading_exponents
from fxpsim.quantizers.inputs import rounding_of, source_of_words, values_of, word_of
from fxpsim.quantizers.power_of_two_rows import shift_rows
from fxpsim.quantizers.registry import tensor_quantizers
from fxpsim.quantizers.row_groups import row_groups

Rows = NDArray[np.float64]
LARGEST_RATIO = 20
"""Small rows are scaled up by at most two to this power: the exact sums then stay within binary64."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockHadamard:
    """The transform of all groups.

    Parameters
    ----------
    groups : list of ndarray of int64
        Rows of each group, a power of two of them, the large one first.
    ratios : list of int
        Binary exponent of the scale of a group's small rows.

    Examples
    --------
    >>> transform = BlockHadamard(groups=[np.arange(2)], ratios=[1])
    >>> y = transform.apply(np.array([[8.0], [1.0]]))
    >>> y.ravel().tolist(), transform.inverse(y).ravel().tolist()
    ([10.0, 6.0], [8.0, 1.0])
    """

    groups: list[NDArray[np.int64]]
    ratios: list[int]

    def apply(self, x: Rows) -> Rows:
        """Return ``T x``."""
        y = x.astype(np.float64)
        for group, ratio in zip(self.groups, self.ratios, strict=True):
            y[group[1:]] *= 2.0**ratio
            y[group] = _butterflies(y[group])
        return y

    def inverse(self, y: Rows) -> Rows:
        """Return ``T^-1 y``."""
        x = y.astype(np.float64)
        for group, ratio in zip(self.groups, self.ratios, strict=True):
            x[group] = _butterflies(x[group]) / len(group)
            x[group[1:]] *= 2.0**-ratio
        return x

    def inverse_bound(self, bound: Rows) -> Rows:
        """Return the bound of errors behind the inverse: every row carries the mean of the group's bounds."""
        out = bound.astype(np.float64)
        for group, ratio in zip(self.groups, self.ratios, strict=True):
            out[group] = bound[group].sum(axis=0) / len(group)
            out[group[1:]] *= 2.0**-ratio
        return out


def block_hadamard(rows: Rows) -> BlockHadamard:
    """Return the transform for a matrix of rows."""
    exponents = leading_exponents(np.maximum(rows.max(axis=1), -rows.min(axis=1)))
    # zero rows count as 2**-60 of the largest, so that sizes stay numbers
    exponents = np.maximum(exponents, exponents.max() - 60)
    groups, ratios = [], []
    for group in row_groups(np.ldexp(1.0, exponents - exponents.max())):
        places = len(group).bit_length() - 1
        kept = group[: 1 << places]
        groups += [kept, *(group[i : i + 1] for i in range(1 << places, len(group)))]
        ratio = (2 * int(exponents[kept[0]] - exponents[kept[-1 if places == 0 else 1]]) + places) // 6
        ratios += [min(ratio, LARGEST_RATIO), *([0] * (len(group) - len(kept)))]
    return BlockHadamard(groups=groups, ratios=ratios)


@tensor_quantizers.register("power_of_two_hadamard")
@dataclass(frozen=True, kw_only=True)
class PowerOfTwoHadamard(TensorQuantizer):
    """Signed power-of-two codes per row of a block Hadamard transform of the rows.

    Parameters
    ----------
    rounding : Rounding
        How values are brought onto the grid.

    Examples
    --------
    >>> x = QTensor([[1000], [3], [-2], [0]], "s16f0")
    >>> PowerOfTwoHadamard().encode(x, bits=12, random=RandomBits()).value.ravel().tolist()
    [1000.0, 3.0, -2.0, 0.0]
    """

    rounding: Rounding = Rounding.STOCHASTIC

    evidence = Evidence.OURS
    source = "our variant of StatQuant's BHQ (arXiv 2010.14298)"
    takes_codes = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "rounding", rounding_of(self.rounding, "PowerOfTwoHadamard"))

    @property
    def stochastic(self) -> bool:
        """Whether random words are drawn."""
        return self.rounding is Rounding.STOCHASTIC

    def encode(self, x: Array | QTensor, *, bits: Bits, random: RandomBits | None = None) -> Encoded:
        """Return the codes; see :meth:`TensorQuantizer.encode`."""
        values, word_bits = values_of(x, self), word_of(bits, self)
        source = source_of_words(random, self.rounding, "PowerOfTwoHadamard")
        rows = values.reshape(len(values), -1).astype(np.float64)
        transform = block_hadamard(rows)
        mixed = transform.apply(rows).reshape(values.shape)
        return shift_rows(mixed, word_bits, self.rounding, source, transform)


def _butterflies(x: Rows) -> Rows:
    """Multiply by the Hadamard matrix of +-1 (Sylvester's order)."""
    half = 1
    while half < len(x):
        pairs = x.reshape(-1, 2, half, x.shape[1])
        x = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).reshape(x.shape)
        half *= 2
    return x
