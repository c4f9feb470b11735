"""The options of ADEPT's controller and their checks."""

from __future__ import annotations

from dataclasses import dataclass

from fxpsim.errors import UserError
from fxpsim.policies.push_down import PushDownRule
from fxpsim.policies.push_up import Strategy
from fxpsim.registry import unknown


@dataclass(frozen=True, kw_only=True)
class AdeptOptions:
    """Constants of ADEPT; the defaults are those of AlexNet on CIFAR-10 in the released configurations.

    Parameters
    ----------
    pushdown : {"paper", "released", "hardware"}
        Rule of PushDown; see :mod:`fxpsim.policies.push_down`.
    start_frac_bits : int
        Fraction length before the first switch (the word length is the quantizers').
    min_frac_bits, max_word_bits : int
        Limits of the formats.
    buffer_bits : int
        Integer bits, sign included, that PushUp keeps in front of the binary point.
    strategy : {"min", "mean", "max"}
        Strategy before the first loss.
    lookback_low, lookback_high : int
        Limits of the window, in steps.
    lookback_momentum : float
        Share of a new window length.
    resolution_low, resolution_high : int
        Limits of the number of bins.
    tolerance : float
        Largest distance of histograms that passes (``paper``, ``hardware``).
    sample : {"auto", "all", "first_filter"}
        Which weights PushDown looks at; ``auto``: the first filter with ``released``, else all.
    sparsity_penalty : bool
        Whether the loss that the strategy follows contains the penalty of word lengths and non-zeros.
    """

    pushdown: str = "paper"
    start_frac_bits: int = 4
    min_frac_bits: int = 4
    max_word_bits: int = 32
    buffer_bits: int = 4
    strategy: str = "min"
    lookback_low: int = 25
    lookback_high: int = 100
    lookback_momentum: float = 0.33
    resolution_low: int = 50
    resolution_high: int = 150
    tolerance: float = 0.0
    sample: str = "auto"
    sparsity_penalty: bool = True

    def __post_init__(self) -> None:
        for key, value, known in (
            ("pushdown", self.pushdown, list(PushDownRule)),
            ("strategy", self.strategy, list(Strategy)),
            ("sample", self.sample, ["auto", "all", "first_filter"]),
        ):
            if value not in known:
                raise unknown(key, str(value), [str(name) for name in known], where="policy adept")
        ordered = (
            ("lookback_low", 1, self.lookback_low, self.lookback_high),
            ("resolution_low", 2, self.resolution_low, self.resolution_high),
            ("min_frac_bits", 0, self.min_frac_bits, self.max_word_bits - 2),
            ("buffer_bits", 1, self.buffer_bits, self.max_word_bits - 1),
            ("max_word_bits", 3, self.max_word_bits, 32),
        )
        for key, low, value, high in ordered:
            if not low <= value <= high:
                raise UserError(
                    f"{key} is {value}",
                    where="policy adept",
                    expected=f"{low} to {high}",
                    remedy="choose a value in that range (an upper limit may come from another key)",
                )

    @property
    def samples_first_filter(self) -> bool:
        """Whether PushDown looks at the first output channel only."""
        return self.sample == "first_filter" or (self.sample == "auto" and self.pushdown == PushDownRule.RELEASED)
