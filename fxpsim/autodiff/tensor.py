"""A tensor on the tape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fxpsim.autodiff.engine import Engine

if TYPE_CHECKING:
    from fxpsim.autodiff.op import Op


@dataclass(slots=True, eq=False)
class Record:
    """How a tensor came about: the op, its inputs and attributes, and the layer it ran in."""

    op: Op
    inputs: tuple[Tensor, ...]
    attributes: dict[str, Any]
    layer: str
    saved: Any


@dataclass(slots=True, eq=False)
class Tensor:
    """A value of the engine's units, with its place on the tape.

    Parameters
    ----------
    engine : Engine
        Who computes with it.
    value : Any
        A vector value or a MAC operand.
    requires_grad : bool
        Whether a gradient with respect to it is wanted.
    record : Record, optional
        How it was computed, if a gradient may have to pass through it.
    """

    engine: Engine
    value: Any
    requires_grad: bool = False
    record: Record | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.value.shape

    def read(self) -> np.ndarray:
        """Return the values as float64 (for people; the engine never does)."""
        return self.engine.vector.read(self.value)

    def __add__(self, other: Tensor) -> Tensor:
        from fxpsim.autodiff.ops.elementwise import add

        return add(self, other)
