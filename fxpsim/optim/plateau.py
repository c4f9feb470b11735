"""A schedule that listens: the rate falls when the loss no longer does."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(kw_only=True)
class Plateau:
    """Multiply the rate by ``factor`` after ``patience`` observations without a new best loss.

    For training loops of your own: call :meth:`observe` with the loss of each evaluation, and keep ``state`` in the
    checkpoint. The schedules that a recipe names are functions of the step alone; this one is none of them.

    Parameters
    ----------
    factor : float
        Factor of the rate at each fall; a decimal, taken exactly as written.
    patience : int
        Observations without improvement that are forgiven.
    threshold : float
        Relative improvement that counts as one.
    smallest : float
        Least factor.

    Examples
    --------
    >>> plateau = Plateau(factor=0.5, patience=1)
    >>> for loss in (1.0, 0.9, 0.9, 0.9):
    ...     plateau.observe(loss)
    >>> plateau(step=100, steps=1000)
    Fraction(1, 2)
    """

    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    smallest: float = 0.0
    falls: int = 0
    best: float | None = None
    waited: int = 0

    def __call__(self, step: int, steps: int) -> Fraction:
        """Return the factor of the base rate; it depends on what was observed, not on the step."""
        return max(Fraction(str(self.factor)) ** self.falls, Fraction(str(self.smallest)))

    def observe(self, loss: float) -> None:
        """Take note of a loss."""
        if self.best is None or loss < self.best * (1 - self.threshold):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.falls, self.waited = self.falls + 1, 0

    @property
    def state(self) -> dict[str, float | int | None]:
        """What has to be kept to go on after a stop."""
        return {"falls": self.falls, "best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, float | int | None]) -> None:
        """Go on from a kept state."""
        self.falls, self.best, self.waited = int(state["falls"] or 0), state["best"], int(state["waited"] or 0)
