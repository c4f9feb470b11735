"""Stochastic gradient descent with momentum, executed by the update unit: plain, normalized, and by integer rates."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fxpsim.errors import UserError
from fxpsim.optim.base import Optimizer, root
from fxpsim.optim.decimals import exact
from fxpsim.optim.registry import optimizers
from fxpsim.units import CastCounts, Master, SgdStep, UpdateUnit, Value
from fxpsim.units.fixed import constant


@optimizers.register("sgd")
@dataclass(frozen=True, kw_only=True)
class Sgd(Optimizer):
    """``v <- momentum v + g + weight_decay w``; ``w <- w - learning_rate v``.

    Momentum as in most frameworks: the rate multiplies the velocity (Sutskever et al. 2013 put it inside).

    Parameters
    ----------
    learning_rate, momentum, weight_decay : float
        Decimal numbers; they are taken exactly as written.
    nesterov : bool
        Look ahead by one momentum step.
    """

    by_element = True

    learning_rate: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

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
        numbers = SgdStep(
            learning_rate=exact(self.learning_rate) * factor,
            momentum=exact(self.momentum),
            weight_decay=exact(self.weight_decay) if decay else Fraction(0),
            nesterov=self.nesterov,
            gradient=self.rule(unit, grad, scale),
        )
        return unit.sgd(master, grad, numbers, key)


@optimizers.register("normalized_sgd")
@dataclass(frozen=True, kw_only=True)
class NormalizedSgd(Sgd):
    """SGD by the direction of each tensor's gradient alone: ``g / ||g||`` in the place of g (Hazan et al. 2015).

    A gradient of zeros stays one.
    """

    by_element = False

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
        """Update one tensor; its own norm makes any other scale void."""
        norm = root(unit.square_norm(grad))
        return super().step(unit, master, grad, factor, key, decay=decay, scale=1 / norm if norm else Fraction(1))


@optimizers.register("integer_sgd")
@dataclass(frozen=True, kw_only=True)
class IntegerSgd(Optimizer):
    """SGD whose every coefficient is a short integer and a shift: ``learning_rate = rate * 2**-rate_shift``.

    The schedule's factor is multiplied in and the product rounded to ``rate_bits`` bits: with 1 bit the rate is a
    power of two at every step, and a shift is all that the update costs.

    Parameters
    ----------
    rate, rate_shift : int
        Learning rate.
    rate_bits : int
        Bits of the rate's integer at any step.
    momentum, momentum_shift : int
        Momentum ``momentum * 2**-momentum_shift``.
    decay_shift : int, optional
        Weight decay ``2**-decay_shift``; None for none.
    nesterov : bool
        Look ahead by one momentum step.

    Examples
    --------
    >>> IntegerSgd(rate_shift=5).learning_rate(Fraction(9, 10))
    Fraction(1, 32)
    >>> IntegerSgd(rate=3, rate_shift=6, rate_bits=4).learning_rate(Fraction(9, 10))
    Fraction(11, 256)
    """

    by_element = True

    rate: int = 1
    rate_shift: int
    rate_bits: int = 1
    momentum: int = 0
    momentum_shift: int = 0
    decay_shift: int | None = None
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rate", "rate_shift", "rate_bits", "momentum", "momentum_shift"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < (name in ("rate", "rate_bits")) or value > 2**15:
                raise UserError(
                    f"{name} is {value}", where="optimizer integer_sgd", expected="a whole number of at most 15 bits"
                )

    def learning_rate(self, factor: Fraction) -> Fraction:
        """Return the rate for a factor of the schedule."""
        mantissa, shift = constant(Fraction(self.rate, 2**self.rate_shift) * factor, self.rate_bits)
        return mantissa / Fraction(2) ** shift

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
        decays = decay and self.decay_shift is not None
        numbers = SgdStep(
            learning_rate=self.learning_rate(factor),
            momentum=Fraction(self.momentum, 2**self.momentum_shift),
            weight_decay=Fraction(1, 2 ** (self.decay_shift or 0)) if decays else Fraction(0),
            nesterov=self.nesterov,
            gradient=self.rule(unit, grad, scale),
        )
        return unit.sgd(master, grad, numbers, key)
