r"""A gradient check for any op, network or loss: the tape against central differences, in binary64.

For random directions :math:`u` (of the inputs) and :math:`v` (of the output) it compares

.. math:: \langle v, J u \rangle \approx \left\langle v, \tfrac{f(x + h u) - f(x - h u)}{2 h} \right\rangle

with :math:`\langle J^T v, u \rangle` from the tape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fxpsim.autodiff.backward import backward
from fxpsim.autodiff.engine import Engine
from fxpsim.autodiff.tensor import Tensor
from fxpsim.units.reference import ReferenceMac, ReferenceUnit

STEP = 1e-5


def reference_engine() -> Engine:
    """Return an engine that computes in binary64 and quantizes nothing."""
    return Engine(ReferenceMac(), ReferenceUnit())


def check_gradient(
    function: Callable[..., Tensor], *inputs: np.ndarray, seed: int = 0, directions: int = 3, tolerance: float = 1e-6
) -> None:
    """Compare the gradient of ``function`` on the tape with central differences.

    Parameters
    ----------
    function : callable
        Maps tensors to one tensor, by ops.
    *inputs : ndarray
        Where to check; away from kinks (ReLU at 0, ties of a maximum) by more than the step of 1e-5.
    seed, directions : int
        Random directions to try.
    tolerance : float
        Largest difference relative to the size of the two numbers.

    Raises
    ------
    AssertionError
        With both numbers, if they differ.

    Examples
    --------
    >>> from fxpsim.autodiff import ops
    >>> check_gradient(lambda a, b: ops.add(ops.relu(a), b), np.array([[1.0, -2.0]]), np.array([0.5, 0.5]))
    """
    random = np.random.default_rng(seed)
    for _ in range(directions):
        along = [random.standard_normal(x.shape) for x in inputs]
        engine = reference_engine()
        tensors = [Tensor(engine, engine.vector.load(x, None), requires_grad=True) for x in inputs]
        output = function(*tensors)
        weight = random.standard_normal(output.shape)
        gradients = backward(output, engine.tensor(weight))
        taped = sum(
            float((gradients[id(t)].read() * u).sum())
            for t, u in zip(tensors, along, strict=True)
            if id(t) in gradients
        )
        ahead, behind = (_evaluate(function, inputs, along, sign * STEP) for sign in (1, -1))
        measured = float((weight * (ahead - behind)).sum()) / (2 * STEP)
        size = max(abs(taped), abs(measured), 1.0)
        assert abs(taped - measured) <= tolerance * size, f"tape {taped!r}, central difference {measured!r}"


def _evaluate(
    function: Callable[..., Tensor], inputs: tuple[np.ndarray, ...], along: list[np.ndarray], step: float
) -> np.ndarray:
    engine = reference_engine()
    return function(*(engine.tensor(x + step * u) for x, u in zip(inputs, along, strict=True))).read()
