r"""DYNASTY (released research code): word lengths for blocks of 4 x 4, by how much the loss minds each block.

Weights (``weight``: forward and input gradient) and the activations as the weight gradient reads them
(``activation@weight_grad``) have 0, 2, 4, 6 or 8 bits for each block; forward activations and errors keep 8.
Sensitivities (:mod:`fxpsim.policies.sensitivity`) are summed over a period, one epoch as released; then a map
for all layers meets the target of mean bits (:mod:`fxpsim.policies.bit_map`), for both streams apart. The map of
activations persists over batches: an entry belongs to four places in the batch.

``adapts`` may also name ``activation`` and ``error`` (ours): activations in the forward pass then have one map for all
samples, errors take their own norm for their gradient's.

The input of the first layer has no gradient, so its activations keep the bits they start with.

Source: Liu et al., "DYNASTY", ASP-DAC 2023 (arXiv 2210.17047), as defined by a co-author's released research code
(wch18/OBAQ_2.0, 2023); the paper's own equations were not at hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.policies import bit_map
from fxpsim.policies.base import Decision, Moment, State, Statistics, policies, spent
from fxpsim.policies.sample import Sample
from fxpsim.policies.sensitivity import as_matrices, sensitivities
from fxpsim.registry import unknown

RELEASED = ("weight", "activation@weight_grad")
KNOWN = (*RELEASED, "activation", "error")
SHAPES = {"activation": (0, -1), "activation@weight_grad": (0, -1), "error": (0, -1), "weight": (-2, -1)}
OPERATIONS = 4
"""Comparison, square, two sums for every element that is looked at."""


@policies.register("dynasty")
@dataclass(frozen=True, kw_only=True)
class Dynasty:
    """DYNASTY's controller.

    Parameters
    ----------
    target : float
        Mean bits of the adaptive streams.
    start : int
        Bits before the first map.
    adapts : sequence of str
        Adaptive streams.
    sensitivity : str
        Name of the sensitivity.
    tile : int
        Blocks are ``tile`` x ``tile`` elements; that of the quantizers.
    period_epochs : int
        Epochs between two maps.
    sample_every : int
        Steps from one look at the tensors to the next; 1 as released.

    Examples
    --------
    >>> policy = Dynasty(target=2.0)
    >>> decision = policy.decide(policy.init(["fc"], {"weight": 8, "error": 8}), "fc", "weight")
    >>> decision.word_bits, int(decision.bits)
    (8, 4)
    """

    target: float = 2.0
    start: int = 4
    adapts: Sequence[str] = RELEASED
    sensitivity: str = "gradient_norm"
    tile: int = 4
    period_epochs: int = 1
    sample_every: int = 1

    def __post_init__(self) -> None:
        for stream in self.adapts:
            if stream not in KNOWN:
                raise unknown("stream", stream, KNOWN, where="policy dynasty, adapts")
        if self.sensitivity not in list(sensitivities):
            raise unknown("sensitivity", self.sensitivity, sensitivities, where="policy dynasty")
        wrong = self.start not in bit_map.WIDTHS or not 0 < self.target <= bit_map.LARGEST
        if wrong or min(self.tile, self.period_epochs, self.sample_every) < 1:
            raise UserError(
                f"target is {self.target}, start is {self.start}, tile is {self.tile}",
                where="policy dynasty",
                expected="a target up to 8 bits, a start of 0, 2, 4, 6 or 8; tile, period and sampling at least 1",
            )

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Begin without maps."""
        empty: State = {"sums": {}, "counts": {}, "smoothed": {}, "maps": {}, "shapes": {}}
        return empty | {"fixed": dict(word_bits), "work": dict.fromkeys(layers, 0), "log": []}

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want tensors with their gradients at the steps that are sampled, and the beginning of steps."""
        if moment is Moment.BEGIN:
            return bool(state["counts"])
        if step % self.sample_every:
            return False
        match moment:
            case Moment.TENSOR:
                unknown_shape = stream in ("weight", "error") and f"{stream} {layer}" not in state["shapes"]
                return unknown_shape or (stream == "error" and "error" in self.adapts)
            case Moment.SLOPE:
                return stream == "activation" and any(s.startswith("activation") for s in self.adapts)
            case Moment.GRADIENT:
                return "weight" in self.adapts
        return False

    def update(self, state: State, statistics: Statistics) -> State:
        """Add a tensor's sensitivity, or make new maps at the end of a period."""
        seen, layer = statistics, statistics.layer
        if seen.moment is Moment.BEGIN:
            period = seen.steps_per_epoch * self.period_epochs
            return self._renewed(state) if seen.step % period == 0 else state
        assert seen.tensor is not None
        if seen.moment is Moment.TENSOR:
            shapes = {**state["shapes"], f"{seen.stream} {layer}": list(seen.tensor.array.shape)}
            state = {**state, "shapes": shapes, "log": []}
            if seen.stream != "error" or "error" not in self.adapts:
                return state
            return self._added(state, layer, "error", seen.tensor, seen.tensor, 1.0)
        out, weights = (state["shapes"][f"{stream} {layer}"] for stream in ("error", "weight"))
        if seen.moment is Moment.GRADIENT:
            assert seen.master is not None
            return self._added(
                state, layer, "weight", seen.master, seen.tensor, float(out[1]) if len(out) == 4 else 1.0
            )
        assert seen.slope is not None
        terms = math.sqrt(out[-1]) * (weights[0] if len(weights) == 4 else 1)
        for stream in ("activation", "activation@weight_grad"):
            if stream in self.adapts:
                state = self._added(state, layer, stream, seen.tensor, seen.slope, terms)
        return state

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the map of an adaptive stream, 8 bits or what the method says for the others."""
        name = stream if stream in self.adapts else stream.partition("@")[0]
        if name not in self.adapts or (name == "activation" and "@" in stream):
            return Decision(word_bits=state["fixed"].get(stream, 8))
        bits = state["maps"].get(f"{name} {layer}")
        return Decision(word_bits=bit_map.LARGEST, bits=_start(self.start) if bits is None else bits)

    def _added(self, state: State, layer: str, stream: str, tensor: Sample, gradient: Sample, terms: float) -> State:
        axes = SHAPES[stream]
        x, g = (as_matrices(_floats(sample), axes) for sample in (tensor, gradient))
        found = sensitivities[self.sensitivity](x, g, self.tile, terms)
        if stream == "activation":  # one map for all samples
            found = np.floor_divide(found.sum(axis=0, keepdims=True), len(found))
        key = f"{stream} {layer}"
        before = state["sums"].get(key)
        if before is not None and before.shape != found.shape:
            raise UserError(
                f"stream {stream} of layer {layer} changed from {before.shape} to {found.shape} blocks",
                where="policy dynasty",
                expected="batches of one size: a block of the map belongs to places in the batch",
                remedy="train on whole batches",
            )
        sums = {**state["sums"], key: found if before is None else before + found}
        counts = {**state["counts"], key: state["counts"].get(key, 0) + 1}
        work = spent(state, layer, OPERATIONS * tensor.array.size)
        shapes = {**state["shapes"], key: list(tensor.array.shape)}
        return {**state, "sums": sums, "counts": counts, "work": work, "shapes": shapes, "log": []}

    def _renewed(self, state: State) -> State:
        smoothed, maps, log = dict(state["smoothed"]), dict(state["maps"]), []
        target = Fraction(str(self.target))
        for stream in self.adapts:
            keys = [key for key in state["sums"] if key.partition(" ")[0] == stream]
            if not keys:
                continue
            means = {key: np.floor_divide(state["sums"][key], state["counts"][key]) for key in keys}
            at = bit_map.threshold(means, {key: self._computations(state, key) for key in keys}, target)
            for key in keys:
                before = smoothed.get(key, np.full_like(means[key], self.start * bit_map.UNIT))
                smoothed[key] = (before + bit_map.wanted(means[key], at)) >> 1
                bits = bit_map.used(smoothed[key])
                maps[key] = bits
                total = Fraction(int(bits.sum()), bits.size)
                log.append([key.partition(" ")[2], stream, "mean bits", total])
            log.append(["", stream, "threshold", Fraction(at, bit_map.UNIT)])
        return {**state, "smoothed": smoothed, "maps": maps, "sums": {}, "counts": {}, "log": log}

    def _computations(self, state: State, key: str) -> int:
        """Return a layer's products, C_in C_out R S times pixels, in units of 32 as the code has them."""
        stream, _, layer = key.partition(" ")
        out, own = state["shapes"][f"error {layer}"], state["shapes"][key]
        pixels = math.prod(own[1:-1]) if stream.startswith("activation") else math.prod(out[1:-1])
        return max(math.prod(state["shapes"][f"weight {layer}"]) * pixels // 32, 1)


def _floats(sample: Sample) -> Any:
    if sample.frac_bits is None:
        return sample.array
    return np.ldexp(sample.array.astype(np.float64), -sample.frac_bits)


_STARTS: dict[int, Any] = {}


def _start(bits: int) -> Any:
    """Return the one array of a start's bits: the same object, so that nothing seems to change."""
    return _STARTS.setdefault(bits, np.array(bits, np.int64))
