"""ADEPT (AdaPT) and MARViN: speed-up, inference speed-up, size, memory and sparsity by word length of the weights."""

from collections.abc import Mapping, Sequence

import numpy as np

from fxpsim.cost.arrays import Floats, Ints, float_total
from fxpsim.cost.metrics.joined import Metric, Record
from fxpsim.cost.timeline import Settings


def adept(joined: Record, *, overhead: Mapping[str, float] | None = None) -> list[Metric]:
    """Return ADEPT's speed-up, inference speed-up, size, memory and sparsity metrics.

    ``C_q = sum_i sum_l nz (m WL + O)``, ``SU = 2 C_32 / (C_q + C_32)`` (backward pass float32, as dear as forward),
    ``SU_inf = sum 32 m / sum nz m WL`` and ``SZ = mean(WL) / 32 * mean(nz)`` at the last step,
    ``MEM = 1 + mean(nz) mean(WL) / 32`` averaged over steps. WL and nz are those of the weight stream; m are textbook
    MACs. Source: formulas of the released code of AdaPT (lorenz0890/AdaPT).
    """
    overhead = overhead or {}
    quantized = total = 0.0
    share = np.zeros(2)
    weighted, sparsity = Weighted(joined.steps), Weighted(joined.steps)
    for (layer, macs), (_, settings) in zip(joined.macs.items(), joined.layers(("weight", "forward")), strict=True):
        weight = settings.roles["weight@forward"]
        cost = weight.nonzero * (macs * weight.mean_bits + overhead.get(layer, 0.0))
        quantized += float_total(cost, settings.steps)
        total += 32.0 * macs * joined.steps
        last = joined.last(layer, "weight")
        share += [float(last.mean_bits[0]), float(last.nonzero[0])]
        weighted.add(settings, weight.mean_bits, weight.nonzero)
        sparsity.add(settings, 1 - weight.nonzero, np.ones(len(weight.nonzero)))
    inference = sum(32.0 * macs for macs in joined.macs.values()) / sum(
        macs * float(joined.last(layer, "weight").mean_bits[0]) * float(joined.last(layer, "weight").nonzero[0])
        for layer, macs in joined.macs.items()
    )
    count = len(joined.macs)
    convention = "ADEPT: weight word length and non-zero share, forward MACs, backward float32 charged as forward"
    zeros = "ADEPT: share of zeros of the quantized weights, unweighted mean over layers"
    return [
        Metric(name="adept_speedup", value=2 * total / (quantized + total), unit="ratio", convention=convention),
        Metric(
            name="adept_inference_speedup",
            value=inference,
            unit="ratio",
            convention=convention + "; last step, forward",
        ),
        Metric(
            name="adept_size",
            value=float(share[0] / count / 32 * (share[1] / count)),
            unit="share of float32",
            convention="ADEPT: unweighted layer means of word length and non-zero share at the last step",
        ),
        Metric(
            name="adept_memory",
            value=1 + weighted.product_of_means(count) / 32,
            unit="share of float32",
            convention="ADEPT: float32 master plus quantized copy, layer means, averaged over steps",
        ),
        Metric(
            name="adept_sparsity", value=sparsity.product_of_means(count), unit="share", convention=zeros + " and steps"
        ),
        Metric(
            name="adept_final_sparsity",
            value=float(1 - share[1] / count),
            unit="share",
            convention=zeros + " at the last step",
        ),
    ]


def iso_speedup(speedup: float, accuracies: Sequence[float], target: float) -> float | None:
    """Return ADEPT's speed-up to a target accuracy; None where that is never reached.

    ``SU_iso = SU / f`` where f is the share of the evaluations up to the first that reaches the target (the released
    code takes the float32 baseline's accuracy).

    >>> iso_speedup(1.2, [0.5, 0.8, 0.9, 0.9], target=0.8)
    2.4
    """
    reached = [place for place, accuracy in enumerate(accuracies, start=1) if accuracy >= target]
    return speedup * len(accuracies) / reached[0] if reached else None


def marvin(joined: Record) -> list[Metric]:
    """Return the speed-up and size of MARViN, the first version of ADEPT; **our own reconstruction**.

    ``SU = sum 32 m / sum m WL`` and ``SZ = mean(WL) / 32``: zeros are not discounted, and the backward pass is taken
    to gain as much as the forward pass. Of the first version only the abstract was at hand. Its mean speed-up of 1.86
    cannot come from ADEPT's later formula, which charges the backward pass as float32 (that would need words of 2.4
    bits); with this one it means 17 bits, where the later versions' plots are.
    """
    quantized = total = 0.0
    bits = 0.0
    for (layer, macs), (_, settings) in zip(joined.macs.items(), joined.layers(("weight", "forward")), strict=True):
        quantized += float_total(macs * settings.roles["weight@forward"].mean_bits, settings.steps)
        total += 32.0 * macs * joined.steps
        bits += float(joined.last(layer, "weight").mean_bits[0])
    convention = "MARViN, our reconstruction: weight word length over 32 in all passes, zeros counted"
    return [
        Metric(name="marvin_speedup", value=total / quantized, unit="ratio", convention=convention),
        Metric(
            name="marvin_size",
            value=bits / len(joined.macs) / 32,
            unit="share of float32",
            convention="MARViN, our reconstruction: unweighted layer mean of the word length at the last step",
        ),
    ]


class Weighted:
    """Mean over steps of (mean over layers of x) * (mean over layers of y), from intervals."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._borders: list[Ints] = []
        self._layers: list[tuple[Ints, Floats, Floats]] = []
        self._end = 0

    def add(self, settings: Settings, x: Floats, y: Floats) -> None:
        """Add a layer: x and y by setting."""
        self._borders.append(settings.begin)
        self._layers.append((settings.begin, x[settings.setting], y[settings.setting]))
        self._end = int(settings.end[-1])

    def product_of_means(self, count: int) -> float:
        """Return the mean over steps."""
        begin = np.unique(np.concatenate(self._borders))
        x, y = np.zeros(len(begin)), np.zeros(len(begin))
        for own, layer_x, layer_y in self._layers:
            place = np.searchsorted(own, begin, side="right") - 1
            x += layer_x[place]
            y += layer_y[place]
        lengths = np.diff(np.append(begin, self._end))
        return float_total(x / count * (y / count), lengths) / self._steps
