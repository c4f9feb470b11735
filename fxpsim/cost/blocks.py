"""Block-wise word lengths: the mean cost of a product, ideal and when blocks run in lock step."""

from collections.abc import Callable

import numpy as np

from fxpsim.cost.arrays import Floats, Ints
from fxpsim.cost.states import StreamStates

PairCost = Callable[[Ints, Ints], Floats]


def mean_pair_cost(a: StreamStates, b: StreamStates, cost: PairCost, *, lockstep_blocks: int = 1) -> Floats:
    """Return the expected cost of a product for each setting, operands drawn from their word-length histograms.

    With c the cost of a pair and p its probability, ``sum p c``; in lock step every group of ``lockstep_blocks``
    independent pairs waits for its dearest, ``E[max] = sum c (F(c)^P - F(c-)^P)``. A block of 0 bits costs nothing.

    Parameters
    ----------
    a, b : StreamStates
        The operands, one entry per setting.
    cost : callable
        Cost of products of given widths (arrays of bits from 1 up).
    lockstep_blocks : int
        P, the pairs that wait for each other; 1 is ideal.
    """
    result = np.empty(a.word_bits.shape)
    seen: dict[tuple[tuple[tuple[int, float], ...], tuple[tuple[int, float], ...]], float] = {}
    for place in range(result.size):
        key = (tuple(a.distribution(place).items()), tuple(b.distribution(place).items()))
        if key not in seen:
            seen[key] = _expected(*key, cost, lockstep_blocks)
        result[place] = seen[key]
    return result


def _expected(
    of_a: tuple[tuple[int, float], ...], of_b: tuple[tuple[int, float], ...], cost: PairCost, group: int
) -> float:
    pairs = [(x, y, p * q) for x, p in of_a for y, q in of_b if p * q > 0]
    x, y = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    share = np.array([pair[2] for pair in pairs])
    costs = np.where((x == 0) | (y == 0), 0.0, cost(np.maximum(x, 1), np.maximum(y, 1)))
    if group == 1:
        return float(np.dot(share, costs))
    order = np.argsort(costs, kind="stable")
    costs, reached = costs[order], np.cumsum(share[order]) / share.sum()
    at_most = reached**group
    return float(np.dot(costs, np.diff(at_most, prepend=0.0)))
