"""How long a recorded stretch of element-wise work is, and whether its result is worth memory."""

from __future__ import annotations

import math
from collections.abc import Iterable

from fxpsim.units.graph import Node

LONGEST_STRETCH = 6  # tensors in memory that a sum may read before it is brought into memory itself
LONGEST_REPEAT = 24  # operations that cost no more than to write a tensor and to read it again
QUICK = {
    "add", "subtract", "multiply", "shrink", "negate", "maximum", "minimum", "greater", "equal", "outside", "select",
    "clamp", "to_float", "to_int32", "shift_left",
}  # fmt: skip


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


def stores(node: Node, dtype: str, *, beside: Iterable[Node] = ()) -> list[tuple[Node, str]]:
    """Return what a program that computes ``node`` stores of it for later: the node, or nothing.

    Not worth memory is a short run of quick operations on tensors that take no more room than the result: whoever
    wants it again reads those instead and computes it again, which gives the same bits.

    Parameters
    ----------
    node : Node
        The node.
    dtype : str
        Type of its array.
    beside : iterable of Node
        Nodes that are read wherever this one is; their tensors cost nothing more.
    """
    return [(node, dtype)] if node.array is None and _is_worth_memory(node, int(dtype[1:]) // 8, beside) else []


def _is_worth_memory(node: Node, item_bytes: int, beside: Iterable[Node]) -> bool:
    found: dict[int, Node] = {}
    for other in beside:
        _collect(other, found)
    known = set(found)
    _collect(node, found)
    size, read, steps = math.prod(node.shape), 0, 0
    for key, item in found.items():
        if item.operands:
            steps += 1
            if item.primitive not in QUICK and not item.primitive.startswith("round_shift_"):
                return True
        elif item.array is not None and item.array.size != size and item.shape[-1] == 1:
            return True  # a number a row changes the way in which a program walks, and with it the order of its sums
        elif item.array is not None and item.array.size == size and key not in known:
            read += item.array.itemsize
    return read > item_bytes or steps > LONGEST_REPEAT


def _collect(node: Node, found: dict[int, Node]) -> None:
    """Enter the nodes from one downwards."""
    stack = [node]
    while stack:
        item = stack.pop()
        if id(item) not in found:
            found[id(item)] = item
            stack.extend(item.operands)
