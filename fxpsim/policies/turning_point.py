r"""FracTrain's indicator of a turning point: when the loss stands still, the next stage begins.

At the end of an epoch with the mean loss L the last means are compared: a turning point is reached if all of them are

.. math:: |L - L_i| / s \le \epsilon \, \alpha^{\min(t, 2)}

with s the mean of L over the first ten epochs (frozen then) and t the stages so far. The window is emptied then.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from fxpsim.errors import UserError
from fxpsim.policies.base import State, Statistics, spent

GRID = 1 << 40


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """The comparison of epochs, over entries of a policy's state.

    Parameters
    ----------
    threshold, decay : float
        epsilon and alpha; the threshold shrinks at the first two turning points only, as in the code.
    window : int
        Epochs that are compared.
    scale_epochs : int
        Epochs over which the scale of the loss is taken.
    """

    threshold: float
    decay: float
    window: int
    scale_epochs: int

    def check(self, where: str) -> None:
        """Refuse windows that compare nothing."""
        if self.window < 2 or self.scale_epochs < 1:
            raise UserError(
                f"window is {self.window}, scale_epochs is {self.scale_epochs}",
                where=where,
                expected="at least 2 epochs to compare and 1 to scale by",
            )

    def start(self) -> State:
        """Return the entries before the first step."""
        return {"stage": 0, "window": [], "means": [], "sum": Fraction(0), "count": 0}

    def update(self, state: State, statistics: Statistics) -> State:
        """Collect the loss of a step; compare at the end of an epoch. Stages are counted without end."""
        assert statistics.loss is not None
        total = state["sum"] + Fraction(round(statistics.loss * GRID), GRID)
        state = {**state, "sum": total, "count": state["count"] + 1, "log": []}
        if (statistics.step + 1) % statistics.steps_per_epoch:
            return state
        mean = Fraction(round(state["sum"] / state["count"] * GRID), GRID)
        work = state["work"]
        for layer in work:
            work = spent({"work": work}, layer, self.window)
        means = [*state["means"], mean][: self.scale_epochs]
        state = {**state, "sum": Fraction(0), "count": 0, "means": means, "work": work}
        return self._compare(state, mean, sum(means, Fraction(0)) / len(means))

    def _compare(self, state: State, mean: Fraction, scale: Fraction) -> State:
        window = [*state["window"], mean][-self.window :]
        state = {**state, "window": window}
        if len(window) < self.window or scale == 0:
            return state
        stage = state["stage"]
        threshold = Fraction(str(self.threshold)) * Fraction(str(self.decay)) ** min(stage, 2)
        largest = max(abs(mean - earlier) for earlier in window[:-1]) / scale
        log = [["", "", "loss difference", largest], ["", "", "threshold", threshold]]
        if largest > threshold:
            return {**state, "log": log}
        return {**state, "stage": stage + 1, "window": [], "log": log}
