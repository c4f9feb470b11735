"""Updates of many small tensors at once: biases, scales, running averages.

A network has dozens of them, a step of each costs the same call, and none looks at another element than its own. They
are joined to one tensor, moved, and cut again: the same bits by fewer calls.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from fractions import Fraction

import numpy as np

from fxpsim.optim.base import Optimizer
from fxpsim.units import Master, UpdateUnit, Value
from fxpsim.units.graph import leaf
from fxpsim.units.update import FixedUpdate, FloatUpdate

PLAIN = (FloatUpdate, FixedUpdate)  # units made of these may keep numbers of a tensor
COUNT = "count"  # the one moment that is a number of the tensor, not of its elements


def joinable(optimizer: Optimizer, unit: UpdateUnit) -> bool:
    """Return whether tensors may be updated together.

    Not where an optimizer looks at a whole tensor, where a rounding draws random words by an element's place, or where
    an update unit keeps numbers of a tensor.
    """
    if type(unit) not in PLAIN or (isinstance(unit, FixedUpdate) and unit.rounding.is_stochastic):
        return False
    return optimizer.by_element and not optimizer.clip_tensor_norm


def step_together(
    optimizer: Optimizer,
    unit: UpdateUnit,
    masters: Sequence[Master],
    gradients: Sequence[Value],
    factor: Fraction,
    scale: Fraction,
) -> None:
    """Update tensors without weight decay, those of one kind in one call.

    Parameters
    ----------
    optimizer : Optimizer
        How to move them; :func:`joinable` with the unit.
    unit : UpdateUnit
        Who computes.
    masters : sequence of Master
        The tensors; changed.
    gradients : sequence of Value
        Their gradients, in memory.
    factor, scale : Fraction
        As in :meth:`~fxpsim.optim.base.Optimizer.step`.
    """
    for places in _groups([_kind(m, g) for m, g in zip(masters, gradients, strict=True)]):
        members = [masters[i] for i in places]
        together = Master(
            _joined([m.weights for m in members]),
            members[0].format,
            members[0].moment_format,
            {
                name: array if name == COUNT else _joined([m.moments[name] for m in members])
                for name, array in members[0].moments.items()
            },
        )
        optimizer.step(unit, together, _join([gradients[i] for i in places]), factor, (0, 0), decay=False, scale=scale)
        _cut(together, members)


def average_together(
    unit: UpdateUnit, masters: Sequence[Master], observed: Sequence[Value], rates: Sequence[Fraction]
) -> None:
    """Move running averages, those of one rate in one call."""
    if type(unit) not in PLAIN:
        for master, value, rate in zip(masters, observed, rates, strict=True):
            unit.average(master, value, rate)
        return
    assert isinstance(unit, PLAIN)
    aligned = [unit.aligned(value) for value in observed]
    for places in _groups(rates):
        members = [masters[i] for i in places]
        together = Master(_joined([m.weights for m in members]), members[0].format)
        unit.average(together, _join([aligned[i] for i in places]), rates[places[0]])
        _cut(together, members)


def _kind(master: Master, gradient: Value) -> Hashable:
    """Return what tensors of one call have in common."""
    count = int(master.moments[COUNT][0]) if COUNT in master.moments else 0
    return tuple(master.moments), count, gradient.frac_bits, gradient.node.dtype


def _groups(kinds: Sequence[Hashable]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for place, kind in enumerate(kinds):
        groups.setdefault(kind, []).append(place)
    return list(groups.values())


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.reshape(-1) for array in arrays])


def _join(values: Sequence[Value]) -> Value:
    arrays = [value.node.array for value in values]
    assert all(array is not None for array in arrays), "gradients and observations are in memory"
    bounds = [value.bound for value in values if value.bound is not None]
    return Value(leaf(_joined([a for a in arrays if a is not None])), values[0].frac_bits, max(bounds, default=None))


def _cut(together: Master, members: Sequence[Master]) -> None:
    begin = 0
    for member in members:
        part, shape = slice(begin, begin + member.weights.size), member.weights.shape
        begin = part.stop
        member.weights = together.weights[part].reshape(shape)
        member.moments = {
            name: array.copy() if name == COUNT else array[part].reshape(shape)
            for name, array in together.moments.items()
        }
