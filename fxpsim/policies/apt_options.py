"""The options of APT's controller and their checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fxpsim.errors import UserError
from fxpsim.policies.apt_rules import ErrorMeasure
from fxpsim.registry import unknown

OPERANDS = ("weight", "activation", "error")


@dataclass(frozen=True, kw_only=True)
class AptOptions:
    """Constants of APT; the defaults are those of the re-implementation and of Cambricon/catch.

    Parameters
    ----------
    alpha : float
        Share of a new exponent in the moving average; also the weight of the drift in the interval rule.
    beta, gamma, delta : float
        Constants of the interval rule.
    threshold : float
        Largest Diff that needs no longer word.
    growth : int
        Bits by which a word grows.
    max_word_bits : int
        Longest word.
    warm_up : float
        Share of the first epoch in which every step is an update.
    mode : {1, 2}
        1: words only grow; 2: every update starts from the first word length.
    error_measure : {"mean_magnitude", "element_wise"}
        How Diff is measured.
    streams : sequence of str
        Streams that the controller quantizes, with the pass where a method tells passes apart.
    adaptive : sequence of str
        Of these, those whose word may grow (the others adapt their step only).
    formula_throughout : bool
        Whether the interval rule also holds after the first epoch, instead of one update an epoch.
    longest_interval : int
        Longest interval of the rule in steps; 0: an epoch.
    """

    alpha: float = 0.04
    beta: float = 0.1
    gamma: float = 2.0
    delta: float = 100.0
    threshold: float = 0.03
    growth: int = 8
    max_word_bits: int = 24
    warm_up: float = 0.01
    mode: int = 1
    error_measure: str = "mean_magnitude"
    streams: Sequence[str] = OPERANDS
    adaptive: Sequence[str] = OPERANDS
    formula_throughout: bool = False
    longest_interval: int = 0

    def __post_init__(self) -> None:
        if self.error_measure not in list(ErrorMeasure):
            raise unknown("error measure", str(self.error_measure), list(ErrorMeasure), where="policy apt")
        for stream in (*self.streams, *self.adaptive):
            if stream.partition("@")[0] not in OPERANDS:
                raise unknown("stream", stream, OPERANDS, where="policy apt")
        checks = (
            ("mode", self.mode in (1, 2), "1 (words only grow) or 2 (every update starts anew)"),
            ("alpha", 0 < self.alpha <= 1, "above 0, at most 1"),
            ("growth", self.growth >= 1, "at least 1 bit"),
            ("max_word_bits", 2 <= self.max_word_bits <= 32, "2 to 32"),
            ("threshold", self.threshold > 0, "above 0"),
            ("warm_up", 0 <= self.warm_up <= 1, "a share from 0 to 1"),
            ("longest_interval", self.longest_interval >= 0, "0 (an epoch) or a number of steps"),
        )
        for key, holds, expected in checks:
            if not holds:
                raise UserError(
                    f"{key} is {getattr(self, key)}",
                    where="policy apt",
                    expected=expected,
                    remedy=f"the default is {type(self).__dataclass_fields__[key].default}",
                )
