"""The random word of an element, as a node of a vector program."""

from fxpsim.numerics import Rounding
from fxpsim.units.graph import Node, apply, index, parameter


def noise_node(rounding: Rounding, key: tuple[int, int]) -> Node:
    """Return the counter-based random word that a stochastic rounding needs, or a constant for the other modes."""
    if not rounding.is_stochastic:
        return parameter(0, "i64")
    return apply("random_word", index(), parameter(key[0], "i64"), parameter(key[1], "i64"), dtype="i64")
