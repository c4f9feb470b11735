"""Learning-rate schedules: exact rationals, so that an integer update unit sees the same rate everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

from fxpsim.optim.decimals import exact
from fxpsim.registry import Registry

GRID_BITS = 60
PI_Q60 = 3622009729038561421  # round(2**60 * pi)


class Schedule(Protocol):
    """The learning rate over a run."""

    def __call__(self, step: int, steps: int) -> Fraction:
        """Return the factor of the base rate at ``step`` of ``steps``."""
        ...


@runtime_checkable
class ListeningSchedule(Schedule, Protocol):
    """A learning rate that depends on how the training goes."""

    def observe(self, loss: Fraction) -> None:
        """Take note of the mean training loss of an epoch."""
        ...

    @property
    def state(self) -> dict[str, Any]:
        """What has to be kept to go on after a stop."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a kept state."""
        ...


schedules: Registry[Callable[..., Schedule]] = Registry("schedule")


@lru_cache(maxsize=64)  # every parameter of a step asks for the same one
def cosine_of(turn: Fraction) -> Fraction:
    """Return ``cos(pi turn)`` for 0 <= turn <= 1, to within ``2**-50``, by integers alone.

    >>> [float(cosine_of(Fraction(k, 3))) for k in range(4)]
    [1.0, 0.5, -0.5, -1.0]
    """
    if turn > Fraction(1, 2):
        return -cosine_of(1 - turn)
    x = (PI_Q60 * turn.numerator) // turn.denominator
    square = (x * x) >> GRID_BITS
    total = term = 1 << GRID_BITS
    for n in range(1, 14):
        term = -((term * square) >> GRID_BITS) // ((2 * n - 1) * (2 * n))
        total += term
    return Fraction(_round_shift(total, GRID_BITS - 40), 1 << 40)


def _round_shift(value: int, bits: int) -> int:
    return (value + (1 << (bits - 1))) >> bits


@schedules.register("constant")
@dataclass(frozen=True, kw_only=True)
class Constant:
    """Always the base rate."""

    def __call__(self, step: int, steps: int) -> Fraction:
        """Return 1."""
        return Fraction(1)


@schedules.register("step")
@dataclass(frozen=True, kw_only=True)
class Step:
    """Multiply by ``factor`` at each of the ``milestones`` (shares of the run).

    >>> [float(Step()(s, 4)) for s in range(4)]
    [1.0, 1.0, 0.1, 0.01]
    """

    milestones: tuple[float, ...] = (0.5, 0.75)
    factor: float = 0.1

    def __call__(self, step: int, steps: int) -> Fraction:
        """Return the factor at ``step``."""
        passed = sum(step >= exact(share) * steps for share in self.milestones)
        return exact(self.factor) ** passed


@schedules.register("cosine")
@dataclass(frozen=True, kw_only=True)
class Cosine:
    """From 1 to ``final`` along half a cosine (Loshchilov and Hutter, "SGDR", 2017, eq. 5, one period)."""

    final: float = 0.0

    def __call__(self, step: int, steps: int) -> Fraction:
        """Return the factor at ``step``."""
        low = exact(self.final)
        return low + (1 - low) * (1 + cosine_of(Fraction(step, max(steps, 1)))) / 2


@schedules.register("one_cycle")
@dataclass(frozen=True, kw_only=True)
class OneCycle:
    """Up from ``1 / initial_divisor`` over the first ``rise`` of the run, then down to ``1 / final_divisor``.

    Half cosines both ways (Smith and Topin, "Super-convergence", 2019, in the form that PyTorch made common).
    """

    rise: float = 0.3
    initial_divisor: float = 25.0
    final_divisor: float = 10000.0

    def __call__(self, step: int, steps: int) -> Fraction:
        """Return the factor at ``step``."""
        peak = exact(self.rise) * max(steps - 1, 1)
        if step < peak:
            low, turn = 1 / exact(self.initial_divisor), 1 - step / peak
        else:
            low = 1 / exact(self.final_divisor)
            turn = min((step - peak) / (max(steps - 1, 1) - peak), Fraction(1)) if steps - 1 > peak else Fraction(0)
        return low + (1 - low) * (1 + cosine_of(Fraction(turn))) / 2
