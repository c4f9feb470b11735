"""What a policy is: ``init`` and ``update`` over an explicit state (the shape of optax), and what it gets to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fxpsim.numerics import RandomBits
from fxpsim.policies.sample import Sample
from fxpsim.registry import Registry

# Plain values and NumPy arrays only: :mod:`fxpsim.policies.state` turns it into JSON and back without loss.
State = dict[str, Any]


class Moment(StrEnum):
    """When a policy is told something."""

    BEGIN = "begin"  # before the forward pass of a step
    TENSOR = "tensor"  # a tensor is about to be quantized
    LOSS = "loss"  # the forward and backward pass are done
    GRADIENT = "gradient"  # a weight gradient is about to enter the update unit
    SLOPE = "slope"  # the gradient of a quantized tensor has come back to it


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """What a policy is told at one moment; only what it wants is ever computed.

    Parameters
    ----------
    moment : Moment
        Which of the fields below are filled.
    step, steps_per_epoch, steps : int
        Where the run is, and its length.
    layer, stream : str
        Whose tensor it is (``TENSOR``, ``GRADIENT``).
    tensor : Sample, optional
        The tensor before it is quantized (``TENSOR``, ``SLOPE``), or the gradient for the optimizer (``GRADIENT``).
    slope : Sample, optional
        The gradient of the loss with respect to the tensor (``SLOPE``).
    master : Sample, optional
        The master weights before the update (``GRADIENT``).
    unit_norm : bool
        Whether the gradient was divided by its Euclidean norm.
    loss : Fraction, optional
        Mean loss of the step with its penalties, exactly as the units computed it (``LOSS``).
    correct : Fraction, optional
        Share of right answers of the step (``LOSS``).
    nonzero : mapping of str to (int, int)
        Layer -> non-zero elements and elements of the quantized weights of this step (``LOSS``).
    choices : mapping of str to sequence of int
        Block -> how many samples of this step its gate gave each candidate (``LOSS``); of networks with gates.
    random : RandomBits
        Random bits of this layer and step, for policies that round stochastically.
    """

    moment: Moment
    step: int
    steps_per_epoch: int = 1
    steps: int = 0
    layer: str = ""
    stream: str = ""
    tensor: Sample | None = None
    slope: Sample | None = None
    master: Sample | None = None
    unit_norm: bool = False
    loss: Fraction | None = None
    correct: Fraction | None = None
    nonzero: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    choices: Mapping[str, Sequence[int]] = field(default_factory=dict)
    random: RandomBits = field(default_factory=RandomBits)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The bits of a stream of a layer.

    Parameters
    ----------
    word_bits : int
        Word length, sign included.
    frac_bits : int, optional
        Fraction length; None leaves it to the quantizer.
    bits : ndarray of int, optional
        What the quantizer takes for every block or element (word lengths, of HGQ fraction lengths); of tensor
        quantizers. ``word_bits`` is then that of the widest.
    rate : float, optional
        Learning rate of a quantizer that has one (WAGE's of gradients).

    Examples
    --------
    >>> Decision(word_bits=8, frac_bits=4)
    Decision(word_bits=8, frac_bits=4)
    """

    word_bits: int
    frac_bits: int | None = None
    bits: NDArray[np.int64] | None = field(default=None, repr=False, compare=False)
    rate: float | None = field(default=None, repr=False)


class Policy(Protocol):
    """Decides the bits of each layer and stream over time. Pure: all it remembers is in the state.

    ``update`` may leave two entries in the state for the outside: ``log``, what it decided in this call and from which
    quantities (``[layer, stream, quantity, value]`` each, exact values as rationals; taken away by the caller), and
    ``work``, the scalar operations that the policy itself has spent so far, by layer.
    """

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Return the state before the first step.

        Parameters
        ----------
        layers : sequence of str
            Names of the layers with weights, in the order of the network.
        word_bits : mapping
            Stream -> word length that the method's quantizers start with; streams in float are absent.
        """
        ...

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Return whether the policy wants to be told at this moment."""
        ...

    def update(self, state: State, statistics: Statistics) -> State:
        """Return the state after ``statistics``; the old one stays as it was."""
        ...

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the bits of a stream of a layer; None means binary32."""
        ...


policies: Registry[type] = Registry("policy")


def spent(state: State, layer: str, operations: int) -> dict[str, int]:
    """Return the account of the policy's own work with ``operations`` more for a layer.

    >>> spent({"work": {"fc": 3}}, "fc", 4)
    {'fc': 7}
    """
    work = dict(state["work"])
    work[layer] = work.get(layer, 0) + operations
    return work
