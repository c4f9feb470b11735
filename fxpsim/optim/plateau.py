"""A schedule that listens: the rate falls when the loss no longer does."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from fxpsim.errors import UserError
from fxpsim.optim.decimals import exact
from fxpsim.optim.schedules import schedules


@schedules.register("plateau")
@dataclass(kw_only=True)
class Plateau:
    """Multiply the rate by ``factor`` after ``patience`` epochs without a new best loss.

    A run shows it the mean training loss of every epoch (:meth:`observe`), exactly, so that what it decides has the
    same bits everywhere; the held-out samples decide nothing. In loops of your own call :meth:`observe`, and keep
    ``state`` in the checkpoint.

    Parameters
    ----------
    factor : float
        Factor of the rate at each fall; a decimal, taken exactly as written.
    patience : int
        Observations without improvement that are forgiven.
    threshold : float
        Relative improvement that counts as one; a decimal.
    smallest : float
        Least factor; a decimal.

    Examples
    --------
    >>> plateau = Plateau(factor=0.5, patience=1)
    >>> for loss in (Fraction(1), Fraction(9, 10), Fraction(9, 10), Fraction(9, 10)):
    ...     plateau.observe(loss)
    >>> plateau(step=100, steps=1000)
    Fraction(1, 2)
    """

    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    smallest: float = 0.0
    falls: int = field(default=0, init=False)
    best: Fraction | None = field(default=None, init=False)
    waited: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 0 < self.factor < 1 or self.patience < 0 or not 0 <= self.threshold < 1:
            raise UserError(
                f"factor {self.factor}, patience {self.patience}, threshold {self.threshold}",
                where="schedule plateau",
                expected="a factor between 0 and 1, a patience of at least 0, a threshold of at least 0 and below 1",
            )

    def __call__(self, step: int, steps: int) -> Fraction:
        """Return the factor of the base rate; it depends on what was observed, not on the step."""
        return max(exact(self.factor) ** self.falls, exact(self.smallest))

    def observe(self, loss: Fraction) -> None:
        """Take note of a loss."""
        if self.best is None or loss < self.best * (1 - exact(self.threshold)):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.falls, self.waited = self.falls + 1, 0

    @property
    def state(self) -> dict[str, Any]:
        """What has to be kept to go on after a stop, as values that JSON can hold."""
        return {"falls": self.falls, "best": None if self.best is None else str(self.best), "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a kept state."""
        best = state["best"]
        self.falls, self.best, self.waited = state["falls"], best if best is None else Fraction(best), state["waited"]
