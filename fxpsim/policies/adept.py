"""ADEPT (later versions: AdaPT): one fixed-point format per layer that moves within the epochs.

Kummer, Sidak, Reichmann, Gansterer, "Adaptive Precision Training (AdaPT)", arXiv 2107.13490, v3 and v4, with the
constants and the order of operations of the released code (lorenz0890/AdaPT). A layer's weights, activations and
weight gradients share word and fraction length. Gradients are collected over a window of steps; when it is full,
PushDown finds the smallest format that keeps the weights' distribution and PushUp adds bits by how much the gradients
of the window disagree. The window's length, the resolution of the histograms and a global strategy move as well.

What is known of the paper's own PushDown is a reconstruction (``pushdown = "paper"``); ``released`` follows the code;
``hardware`` is our own variant in which nothing is float. Losses are compared on a grid of 2**-32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fxpsim.policies.adept_options import AdeptOptions
from fxpsim.policies.base import Decision, Moment, State, Statistics, policies, spent
from fxpsim.policies.logarithms import hardware_ln, ln
from fxpsim.policies.push_down import PushDownRule, Weights, push_down
from fxpsim.policies.push_up import Strategy, adapted_resolution, adapted_strategy, look_back, push_up
from fxpsim.policies.sample import square_sum

LOSS_BITS = 32
GRADIENT_BITS = 36  # fraction length of the window's sum; 20 in hardware
HARDWARE_GRADIENT_BITS = 20
STREAMS = ("weight", "activation", "gradient")


@policies.register("adept")
@dataclass(frozen=True, kw_only=True)
class Adept(AdeptOptions):
    """The controller of ADEPT.

    Parameters are those of :class:`~fxpsim.policies.adept_options.AdeptOptions`.

    Examples
    --------
    >>> policy = Adept(pushdown="released")
    >>> state = policy.init(["conv1", "fc"], {"weight": 8, "activation": 8, "gradient": 8})
    >>> policy.decide(state, "fc", "weight")
    Decision(word_bits=8, frac_bits=4)
    """

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Give every layer the start format and the shortest window."""
        start = {
            "word_bits": word_bits.get("weight", 8),
            "frac_bits": self.start_frac_bits,
            "lookback": self.lookback_low,
            "resolution": self.resolution_low,
            "count": 0,
            "norms": 0,
            "window": None,
        }
        layers_state = {layer: dict(start) for layer in layers}
        state = {"layers": layers_state, "strategy": self.strategy, "losses": [], "work": {}, "log": []}
        return state | {"start_word_bits": dict(word_bits)}

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want losses, and every weight gradient."""
        return moment is Moment.LOSS or moment is Moment.GRADIENT

    def update(self, state: State, statistics: Statistics) -> State:
        """Adapt the strategy to a loss, or a layer to a gradient."""
        if statistics.moment is Moment.LOSS:
            return self._loss(state, statistics)
        return self._gradient(state, statistics)

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the layer's format; the error is none of ADEPT's streams and keeps what its quantizer has."""
        if stream.partition("@")[0] not in STREAMS:
            return Decision(word_bits=state["start_word_bits"][stream])
        own = state["layers"][layer]
        return Decision(word_bits=own["word_bits"], frac_bits=own["frac_bits"])

    # --- strategy

    def _loss(self, state: State, statistics: Statistics) -> State:
        assert statistics.loss is not None
        loss = round((statistics.loss + self._penalty(state, statistics)) * 2**LOSS_BITS)
        lookbacks = [own["lookback"] for own in state["layers"].values()]
        window = sum(lookbacks) // len(lookbacks)
        before = Strategy(state["strategy"])
        strategy = adapted_strategy(before, state["losses"], loss, window)
        kept = state["losses"][-window:] if len(state["losses"]) > window else state["losses"]
        log = (
            [["", "", f"strategy: {before} to {strategy}", Fraction(loss, 2**LOSS_BITS)]] if strategy != before else []
        )
        return {**state, "strategy": str(strategy), "losses": [*kept, loss], "log": log}

    def _penalty(self, state: State, statistics: Statistics) -> Fraction:
        """Return ``P = mean(WL / 32 * share of non-zeros)``; it has no gradient and only shifts the loss."""
        if not self.sparsity_penalty or not statistics.nonzero:
            return Fraction(0)
        parts = [
            Fraction(state["layers"][layer]["word_bits"] * nonzero, 32 * elements)
            for layer, (nonzero, elements) in statistics.nonzero.items()
        ]
        return sum(parts, Fraction(0)) / len(parts)

    # --- one layer

    def _gradient(self, state: State, statistics: Statistics) -> State:
        assert statistics.tensor is not None
        layer, rule = statistics.layer, PushDownRule(self.pushdown)
        own: dict[str, Any] = dict(state["layers"][layer])
        bits = HARDWARE_GRADIENT_BITS if rule is PushDownRule.HARDWARE else GRADIENT_BITS
        gradient = statistics.tensor.on_grid(bits)
        own["window"] = gradient if own["window"] is None else own["window"] + gradient
        own["count"] += 1
        own["norms"] += 1 << bits if statistics.unit_norm else math.isqrt(square_sum(gradient))
        norm = math.isqrt(square_sum(own["window"]))
        inverse = Fraction(norm, own["norms"]) if own["norms"] else None
        own["lookback"] = look_back(
            inverse,
            own["lookback"],
            low=self.lookback_low,
            high=self.lookback_high,
            momentum=Fraction(str(self.lookback_momentum)),
        )
        own["resolution"] = adapted_resolution(
            own["resolution"],
            own["lookback"],
            limits=(self.resolution_low, self.resolution_high),
            window_limits=(self.lookback_low, self.lookback_high),
        )
        operations, log = 4 * gradient.size, []  # add, square, add, compare
        if own["count"] >= own["lookback"]:
            log, more = self._switch(own, statistics, inverse, Strategy(state["strategy"]))
            operations += more
        layers = {**state["layers"], layer: own}
        return {**state, "layers": layers, "work": spent(state, layer, operations), "log": log}

    def _switch(
        self, own: dict[str, Any], statistics: Statistics, inverse: Fraction | None, strategy: Strategy
    ) -> tuple[list[list[Any]], int]:
        """Find the layer's next format and clear its window; return the log and the operations."""
        assert statistics.master is not None
        rule = PushDownRule(self.pushdown)
        sample = statistics.master.first_filter() if self.samples_first_filter else statistics.master
        weights = Weights.of(sample, own["resolution"])
        found = push_down(
            weights,
            rule,
            word_bits=own["word_bits"],
            frac_bits=own["frac_bits"],
            min_frac_bits=self.min_frac_bits,
            max_word_bits=self.max_word_bits,
            tolerance=Fraction(str(self.tolerance)),
            random=statistics.random,
        )
        logarithm = None
        if inverse:
            logarithm = (hardware_ln if rule is PushDownRule.HARDWARE else ln)(1 / inverse)
        own["word_bits"], own["frac_bits"], added = push_up(
            logarithm,
            found.word_bits,
            found.frac_bits,
            strategy,
            buffer_bits=self.buffer_bits,
            max_word_bits=self.max_word_bits,
        )
        quantities = {
            "kl": found.distance,
            "pushed_down_word_bits": found.word_bits,
            "pushed_down_frac_bits": found.frac_bits,
            "diversity": 1 / inverse if inverse else None,
            "added_frac_bits": added,
            "lookback": own["lookback"],
            "resolution": own["resolution"],
        }
        log = [[statistics.layer, "weight", *item] for item in quantities.items()]
        own["count"], own["norms"], own["window"] = 0, 0, None
        # of every trial: quantize, find the bin, count; then compare the bins
        return log, found.trials * 3 * (weights.codes.size + own["resolution"])
