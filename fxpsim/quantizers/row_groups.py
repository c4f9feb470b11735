r"""Groups of one large and several small rows, as block Householder quantization forms them.

With the sizes :math:`v_1 \ge v_2 \ge \dots \ge v_N` of the rows in falling order, the number k of small rows is the
least with :math:`k \, v_{N-k} > \sum_{i \le N-k} v_i`: then even the smallest large row deserves more than one small
partner. Large row i takes the next small rows in order, :math:`c_i - c_{i-1}` of them, where :math:`c_i =
\mathrm{round}(k \sum_{j \le i} v_j / \sum v)`. The largest row thus spreads over most rows.

Source: Chen et al., arXiv 2010.14298, after the authors' code; ties are ordered by row index here (there they are
arbitrary), and one or two rows stay by themselves (there the search runs off the end).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def row_groups(sizes: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Return the rows of each group, the large row first.

    Parameters
    ----------
    sizes : ndarray of float64, (N,)
        Nonnegative sizes of the rows (ranges).

    Examples
    --------
    >>> [group.tolist() for group in row_groups(np.array([1.0, 1.0, 100.0, 1.0]))]
    [[2, 0, 1, 3]]
    >>> [group.tolist() for group in row_groups(np.array([1.0, 2.0]))]
    [[0], [1]]
    """
    count = len(sizes)
    if count < 3 or not sizes.any():
        return [np.array([row]) for row in range(count)]
    order = np.lexsort((np.arange(count), -sizes))
    # left to right, one rounding per addition: np.cumsum adds in that order
    sums = np.cumsum(sizes[order])
    large = count - 1
    while large > 1 and (count - large) * sizes[order[large - 1]] <= sums[large - 1]:
        large -= 1
    shares = (count - large) * (sums[:large] / sums[large - 1])
    ends = large + np.floor(shares + 0.5).astype(np.int64)
    starts = np.concatenate([[large], ends[:-1]])
    return [
        np.concatenate([order[i : i + 1], order[start:end]])
        for i, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True))
    ]
