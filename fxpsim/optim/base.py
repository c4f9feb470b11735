"""What all optimizers share: clipping, and the call for one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import ClassVar

from fxpsim.errors import UserError
from fxpsim.optim.decimals import exact
from fxpsim.units import CastCounts, GradientRule, Master, UpdateUnit, Value

ROOT_BITS = 40


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """Base of all optimizers.

    Parameters
    ----------
    clip_norm : float
        Largest Euclidean norm of the gradient of all tensors together; 0 leaves it (Pascanu et al. 2013, algorithm 1).
        The training loop finds the factor with :meth:`clip` and hands it to :meth:`step`.
    clip_tensor_norm : float
        Largest Euclidean norm of the gradient of each tensor by itself; 0 leaves it.
    clip_value : float
        Largest magnitude of an element of a gradient; 0 leaves it.
    """

    by_element: ClassVar[bool] = False  # whether the step of an element depends on that element alone

    clip_norm: float = 0.0
    clip_tensor_norm: float = 0.0
    clip_value: float = 0.0

    def __post_init__(self) -> None:
        for name in ("clip_norm", "clip_tensor_norm", "clip_value"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"{name} is {getattr(self, name)}",
                    where=f"optimizer {type(self).__name__}",
                    expected="a positive number, or 0 for no clipping",
                )

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
        """Update one tensor.

        Parameters
        ----------
        unit : UpdateUnit
            Who computes.
        master : Master
            The tensor; changed.
        grad : Value
            Its gradient.
        factor : Fraction
            Factor of the learning rate from the schedule.
        key : (int, int)
            Random key of the step.
        decay : bool
            Whether weight decay applies to this tensor (weights: yes; biases: no).
        scale : Fraction
            Factor of the gradient, before it is clipped by itself: that of :meth:`clip`.

        Returns
        -------
        dict of str to CastCounts
            What was stored, of the streams ``master`` and ``momentum``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def clip(self, unit: UpdateUnit, gradients: Sequence[Value]) -> Fraction:
        """Return the factor that brings the gradients of all tensors, taken together, within ``clip_norm``."""
        return global_scale(unit, gradients, exact(self.clip_norm)) if self.clip_norm else Fraction(1)

    def rule(self, unit: UpdateUnit, grad: Value, scale: Fraction) -> GradientRule:
        """Return what becomes of a gradient before anything else."""
        if self.clip_tensor_norm:
            scale *= global_scale(unit, [grad], exact(self.clip_tensor_norm) / abs(scale))
        return GradientRule(scale=scale, limit=exact(self.clip_value) if self.clip_value else None)


def global_scale(unit: UpdateUnit, gradients: Sequence[Value], limit: Fraction) -> Fraction:
    """Return the factor that brings the Euclidean norm of gradients, taken together, within ``limit``; 1 if it is."""
    norm = root(sum((unit.square_norm(g) for g in gradients), Fraction(0)))
    return limit / norm if norm > limit else Fraction(1)


def root(x: Fraction) -> Fraction:
    """Return the square root to about 40 bits, by integers.

    >>> root(Fraction(9, 4)), root(Fraction(0))
    (Fraction(3, 2), Fraction(0, 1))
    """
    if x == 0:
        return Fraction(0)
    shift = max(0, 2 * ROOT_BITS - x.numerator.bit_length() + x.denominator.bit_length()) // 2
    return Fraction(isqrt((x.numerator << 2 * shift) // x.denominator), 1 << shift)
