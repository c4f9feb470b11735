r"""APT, Adaptive Precision Training (also: Fixed-Point Back-Propagation Training): 8 bits, more where they are needed.

Zhang et al., "Fixed-Point Back-Propagation Training", CVPR 2020, and arXiv 1911.00361; rules and constants of a
PyTorch re-implementation that cites the paper and of the vendor's own library (Cambricon/catch). Weights, activations
and errors are quantized symmetrically with one power-of-two step per tensor. At an update the error of quantization
(QEM) is measured and the word grows while it is above a threshold; how fast the range drifts and how large the error
is say when to measure again (QPA). Between updates word and step stay as they are, and larger values are clipped.

Which of the two modes the paper calls 1 and 2 is not certain: mode 1 here keeps the word length and only grows it,
mode 2 starts from the shortest word at every update, so that it can shrink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fxpsim.policies.apt_options import AptOptions
from fxpsim.policies.apt_rules import ErrorMeasure, interval, measured_error, step_exponent
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
        """Want a tensor when its update is due."""
        return moment is Moment.TENSOR and stream in self.streams and step >= state["streams"][layer][stream]["next"]

    def update(self, state: State, statistics: Statistics) -> State:
        """Measure a tensor: new step, perhaps a longer word, and when to measure again."""
        assert statistics.tensor is not None
        layer, stream = statistics.layer, statistics.stream
        own: dict[str, Any] = dict(state["streams"][layer][stream])
        mean = self._mean(own, statistics.step)
        codes, frac_bits = statistics.tensor.integers()
        word = own["first"] if self.mode == 2 else own["word_bits"]
        mean += own["word_bits"] - word  # the exponent is as much larger as the word is shorter
        grows = stream.partition("@")[0] in self.adaptive
        operations = 0
        while True:
            exponent = step_exponent(codes, frac_bits, word)
            error = measured_error(codes, frac_bits, exponent, ErrorMeasure(self.error_measure))
            operations += MEASURE_OPERATIONS * codes.size
            if not grows or error <= self.threshold or word + self.growth > self.max_word_bits:
                break
            word, mean = word + self.growth, mean - self.growth
        wait = self._wait(statistics, exponent, mean, error)
        own |= {
            "word_bits": word,
            "exponent": exponent,
            "next": statistics.step + wait,
            "mean": self.alpha * exponent + (1 - self.alpha) * mean,
            "updated": statistics.step,
        }
        log = [[layer, stream, "diff", error], [layer, stream, "interval", wait], [layer, stream, "exponent", exponent]]
        streams = {**state["streams"], layer: {**state["streams"][layer], stream: own}}
        return {**state, "streams": streams, "work": spent(state, layer, operations), "log": log}

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
