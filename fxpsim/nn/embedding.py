"""Tables of vectors: tokens and positions."""

from __future__ import annotations

import numpy as np

from fxpsim.autodiff import Tensor, ops
from fxpsim.nn.initializers import scaled_uniform
from fxpsim.nn.module import Module
from fxpsim.nn.parameter import Initializer, Parameter


class Embedding(Module):
    """A vector for each of a number of tokens. Looked up in the vector unit; nothing is multiplied.

    Parameters
    ----------
    entries, width : int
        Number of vectors, and their width.
    initializer : Initializer
        Initial value of the table.
    """

    def __init__(self, entries: int, width: int, *, initializer: Initializer | None = None) -> None:
        self.table = Parameter((entries, width), initializer or scaled_uniform(0.05))

    def look_up(self, ids: np.ndarray) -> Tensor:
        """Map whole numbers (...) to vectors (..., width)."""
        table = self.table()
        with table.engine.at(layer=self.path):
            return ops.embedding(table, ids=ids)

    def forward(self, x: Tensor) -> Tensor:
        """Map a tensor of whole numbers (...), read as token numbers, to vectors (..., width)."""
        return self.look_up(token_ids(x))


def token_ids(x: Tensor) -> np.ndarray:
    """Return the whole numbers that an input tensor holds; they are addresses, not data of the vector unit."""
    return x.engine.vector.whole(x.value)
