r"""APT, Adaptive Precision Training (also: Fixed-Point Back-Propagation Training): 8 bits, more where they are needed.

Zhang et al., "Fixed-Point Back-Propagation Training", CVPR 2020, and arXiv 1911.00361; rules and constants of a
PyTorch re-implementation that cites the paper and of the vendor's own library (Cambricon/catch). Weights, activations
and errors are quantized symmetrically with one power-of-two step per tensor. At an update the error of quantization
(QEM) is measured and the word grows while it is above a threshold; how fast the range drifts and how large the error
is say when to measure again (QPA). Between updates word and step stay as they are, and larger values are clipped.

A tensor that is cast several times within a step (at each time step of a recurrent layer, in each micro-batch) is
measured each time in a step with an update; the word that is longest and the range that is widest stay (ours: the
published networks cast every tensor once).

Which of the two modes the paper calls 1 and 2 is not certain: mode 1 here keeps the word length and only grows it,
mode 2 starts from the shortest word at every update, so that it can shrink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fxpsim.kernels.extent import largest_magnitude
from fxpsim.policies.apt_options import AptOptions
from fxpsim.policies.apt_rules import LOWEST_EXPONENT, ErrorMeasure, interval, measured_error, step_exponent
from fxpsim.policies.base import Decision, Moment, State, Statistics, policies, spent

START_WORD_BITS = 8
MEASURE_OPERATIONS = 3  # per element: magnitude, quantize, add


@policies.register("apt")
@dataclass(frozen=True, kw_only=True)
class Apt(AptOptions):
    """The controller of APT.

    Parameters are those of :class:`~fxpsim.policies.apt_options.AptOptions`.

    Examples
    --------
    >>> policy = Apt()
    >>> state = policy.init(["fc"], {"weight": 8, "activation": 8, "error": 8})
    >>> policy.decide(state, "fc", "error").word_bits
    8
    """

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Let every stream begin with the quantizers' word length and measure at once."""
        start = {"exponent": 0, "next": 0, "mean": 0.0, "updated": 0}
        streams = {
            layer: {name: {**start, "word_bits": bits, "first": bits} for name, bits in word_bits.items()}
            for layer in layers
        }
        return {"streams": streams, "work": {}, "log": []}

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want a tensor when its update is due, and in the rest of that step."""
        if moment is not Moment.TENSOR or stream not in self.streams:
            return False
        own = state["streams"][layer][stream]
        return step >= own["next"] or step == own["updated"]

    def update(self, state: State, statistics: Statistics) -> State:
        """Measure a tensor: new step, perhaps a longer word, and when to measure again."""
        assert statistics.tensor is not None
        layer, stream = statistics.layer, statistics.stream
        before: dict[str, Any] = state["streams"][layer][stream]
        codes, frac_bits = statistics.tensor.integers()
        largest = largest_magnitude(codes)
        again = statistics.step < before["next"]
        if again and not largest:
            return state
        word, mean, least = self._begin(before, statistics.step, again=again)
        grows = stream.partition("@")[0] in self.adaptive
        operations = 0
        while True:
            exponent = max(step_exponent(largest, frac_bits, word), least)
            error = measured_error(codes, frac_bits, exponent, ErrorMeasure(self.error_measure))
            operations += MEASURE_OPERATIONS * codes.size
            if not grows or error <= self.threshold or word + self.growth > self.max_word_bits:
                break
            word, mean, least = word + self.growth, mean - self.growth, least - self.growth
        wait = self._wait(statistics, exponent, mean, error)
        own = {
            "exponent": exponent,
            "next": min(statistics.step + wait, before["next"]) if again else statistics.step + wait,
            "mean": self.alpha * exponent + (1 - self.alpha) * mean,
            "updated": statistics.step,
            "word_bits": word,
            "first": before["first"],
        } | ({} if largest else {"zero": True})
        log = []
        if not again or (word, exponent) != (before["word_bits"], before["exponent"]):
            found = {"diff": error, "interval": wait, "exponent": exponent}
            log = [[layer, stream, quantity, value] for quantity, value in found.items()]
        streams = {**state["streams"], layer: {**state["streams"][layer], stream: own}}
        return {**state, "streams": streams, "work": spent(state, layer, operations), "log": log}

    def _begin(self, own: Mapping[str, Any], step: int, *, again: bool) -> tuple[int, float, int]:
        """Return word length, moving average and least exponent from which a measurement starts."""
        if again:
            # the average as it was before this step's first measurement
            share = 1 - self.alpha
            mean = (own["mean"] - self.alpha * own["exponent"]) / share if share else own["exponent"]
            return own["word_bits"], mean, LOWEST_EXPONENT if own.get("zero") else own["exponent"]
        word = own["first"] if self.mode == 2 else own["word_bits"]
        # the exponent is as much larger as the word is shorter
        return word, self._mean(own, step) + (own["word_bits"] - word), LOWEST_EXPONENT

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return word length and step of a stream; streams without a controller keep what their quantizer has."""
        own = state["streams"][layer][stream]
        if stream not in self.streams:
            return Decision(word_bits=own["word_bits"])
        return Decision(word_bits=own["word_bits"], frac_bits=-own["exponent"])

    def _mean(self, own: Mapping[str, Any], step: int) -> float:
        """Return the moving average of the exponent, the steps since the last update made up for."""
        mean = own["mean"]
        for _ in range(own["updated"] + 1, step):
            mean = self.alpha * own["exponent"] + (1 - self.alpha) * mean
        return mean

    def _wait(self, statistics: Statistics, exponent: int, mean: float, error: float) -> int:
        """Return the steps to the next update."""
        epoch, step = statistics.steps_per_epoch, statistics.step
        if step >= epoch and not self.formula_throughout:
            return epoch
        if step < epoch * Fraction(str(self.warm_up)):
            return 1
        return interval(
            drift=abs(exponent - mean),
            error=error,
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
            delta=self.delta,
            longest=self.longest_interval or epoch,
        )
