"""Tensors that a module keeps from step to step: trained parameters, and averages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from fxpsim.autodiff import Tensor
from fxpsim.numerics import RandomBits
from fxpsim.units import Master, Value

Initializer = Callable[[tuple[int, ...], RandomBits], np.ndarray]


@dataclass(eq=False)
class Buffer:
    """State that training keeps without a gradient, such as a running mean: an average in the update unit.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    initial : float
        Value of every element before the first step.
    rate : Fraction
        Share of a new observation: ``state <- state + rate (observed - state)``.
    path : str
        Name in the network, such as ``bn1.running_mean``; set when the network is bound.
    """

    shape: tuple[int, ...]
    initial: float
    rate: Fraction
    path: str = ""
    master: Master | None = field(default=None, repr=False)
    tensor: Tensor | None = field(default=None, repr=False)
    observed: Value | None = field(default=None, repr=False)

    def __call__(self) -> Tensor:
        """Return the tensor of the current step."""
        assert self.tensor is not None, f"{self.path} is not bound to an engine"
        return self.tensor


@dataclass(eq=False)
class Parameter:
    """Shape and initial value of a trained tensor, and its master copy once a run has made one.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    initializer : callable
        ``(shape, random) -> float64 array``.
    path : str
        Name in the network, such as ``conv1.weight``; set when the network is bound.
    """

    shape: tuple[int, ...]
    initializer: Initializer
    path: str = ""
    master: Master | None = field(default=None, repr=False)
    tensor: Tensor | None = field(default=None, repr=False)

    @property
    def layer(self) -> str:
        """Name of the module it belongs to."""
        return self.path.rpartition(".")[0]

    @property
    def role(self) -> str:
        """Its name in the module: ``weight``, ``bias`` ..."""
        return self.path.rpartition(".")[2]

    def __call__(self) -> Tensor:
        """Return the tensor of the current step."""
        assert self.tensor is not None, f"{self.path} is not bound to an engine"
        return self.tensor
