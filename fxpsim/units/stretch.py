"""How long a recorded stretch of element-wise work is."""

from __future__ import annotations

from fxpsim.units.graph import Node

LONGEST_STRETCH = 6  # tensors in memory that a sum may read before it is brought into memory itself


def leaves(node: Node) -> int:
    """Return how many tensors in memory a node reads; counting stops beyond ``LONGEST_STRETCH``."""
    seen: set[int] = set()
    found = 0
    stack = [node]
    while stack and found <= LONGEST_STRETCH:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if item.array is not None:
            found += item.array.ndim > 1  # coefficients of columns are no tensors
        else:
            stack.extend(item.operands)
    return found
