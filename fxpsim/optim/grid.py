r"""Updates of weights that live on a grid of whole units: WAGE's and NITI's, without any rate but the quantizer's.

The gradient's quantizer (stream ``gradient``) says by how many units each weight moves; the update subtracts and
clips, in integers:

.. math:: c \leftarrow \mathrm{clip}(c - d, \pm c_{max})

The first step puts the initial weights on the grid, to the nearest unit. The schedule's factor has no say: these
methods change the gradient's word length or rate instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.optim.base import Optimizer
from fxpsim.optim.registry import optimizers
from fxpsim.units import CastCounts, Master, UpdateUnit, Value
from fxpsim.units.graph import evaluate

NITI_LARGEST = 127


@optimizers.register("grid_sgd")
@dataclass(frozen=True, kw_only=True)
class GridSgd(Optimizer):
    """WAGE's update: weights are multiples of ``2**-grid_bits`` within ``limit``; gradients come in these units.

    Parameters
    ----------
    grid_bits : int
        Fraction length of the grid: 7 for the 8-bit words as published.
    limit : float
        Largest magnitude of a weight: 1/2 for 2-bit weights.

    Notes
    -----
    Wu et al., "Training and inference with integers in deep neural networks", ICLR 2018 (arXiv 1802.04680), after the
    authors' code.
    """

    grid_bits: int = 7
    limit: float = 0.5

    def step(
        self,
        unit: UpdateUnit,
        master: Master,
        grad: Value,
        factor: Fraction,
        key: tuple[int, int],
        *,
        decay: bool,
        scale: Fraction = Fraction(1),
    ) -> dict[str, CastCounts]:
        """Update one tensor."""
        if not decay:
            raise _no_rate(type(self).__name__)
        moved = np.rint(np.ldexp(values_of(grad), self.grid_bits))
        return moved_on_grid(master, moved, -self.grid_bits, int(self.limit * 2**self.grid_bits))


@optimizers.register("niti_sgd")
@dataclass(frozen=True, kw_only=True)
class NitiSgd(Optimizer):
    """NITI's update: 8-bit weights with an exponent that stays that of the initial ones; the gradient's is ignored.

    The largest gradient moves its weight by up to ``2**mu`` units, for gradients of mu magnitude bits. Weights are put
    on a grid of which the largest takes 64 to 127 units, where the published code stretches them to 127.

    Notes
    -----
    Wang et al., "NITI", IEEE TPDS 2022 (arXiv 2009.13108), after the authors' code.
    """

    def step(
        self,
        unit: UpdateUnit,
        master: Master,
        grad: Value,
        factor: Fraction,
        key: tuple[int, int],
        *,
        decay: bool,
        scale: Fraction = Fraction(1),
    ) -> dict[str, CastCounts]:
        """Update one tensor; its exponent is part of its state."""
        if not decay:
            raise _no_rate(type(self).__name__)
        if grad.frac_bits is None:
            raise UserError(
                "the gradient has no integer codes",
                where="optimizer niti_sgd",
                expected="a gradient stream quantized to codes, on an accelerator without floats",
                remedy="use method 'niti' on accelerator 'int8_all_integer'",
            )
        exponent = master.moments.get("exponent")
        if exponent is None:
            largest = float(np.abs(master.read()).max(initial=0))
            exponent = np.array([np.frexp(largest)[1] - 7 if largest else 0], np.int64)
        counts = moved_on_grid(master, np.ldexp(values_of(grad), grad.frac_bits), int(exponent[0]), NITI_LARGEST)
        master.moments["exponent"] = exponent
        return counts


def moved_on_grid(master: Master, moved: np.ndarray, exponent: int, largest: int) -> dict[str, CastCounts]:
    """Subtract whole units of ``2**exponent`` from the weights and clip them to ``largest`` units.

    >>> master = Master(np.array([0.5, -0.3], np.float32), None)
    >>> moved_on_grid(master, np.array([-1.0, 1.0]), -2, 2)["master"].saturated, master.weights.tolist()
    (1, [0.5, -0.5])
    """
    units = np.rint(np.ldexp(master.read(), -exponent)) - moved
    clipped = np.clip(units, -largest, largest)
    values = np.ldexp(clipped, exponent)
    if master.format is None:
        master.weights = values.astype(np.float32)
    else:
        codes = np.ldexp(values, master.format.frac_bits)
        if (codes != np.rint(codes)).any() or np.abs(codes).max(initial=0) > master.format.max_code:
            raise UserError(
                f"a grid of 2**{exponent} up to {largest} units does not fit the master's format {master.format}",
                where="optimizer",
                expected="a master format that holds the grid",
                remedy="choose an accelerator with wider master words",
            )
        master.weights = codes.astype(master.weights.dtype)
    found = CastCounts(units.size, int(np.count_nonzero(clipped)), int(np.count_nonzero(units != clipped)), 0)
    return {"master": found}


def values_of(grad: Value) -> Any:
    """Return a gradient's values, exactly."""
    if grad.node.array is None:
        evaluate([(grad.node, "f32" if grad.frac_bits is None else "i64")])
    assert grad.node.array is not None
    values = grad.node.array.astype(np.float64)
    return values if grad.frac_bits is None else np.ldexp(values, -grad.frac_bits)


def _no_rate(name: str) -> UserError:
    return UserError(
        "a bias has a gradient that nothing quantizes",
        where=f"optimizer {name}",
        expected="a network of weights alone: this update has no learning rate",
        remedy="take a network without biases and normalization (lenet5_norm with normalize = false)",
    )
