"""ADEPT (AdaPT): speed-up, inference speed-up, size and memory by word length and zeros of the weights."""

from collections.abc import Mapping

import numpy as np

from fxpsim.cost.arrays import Floats, Ints, float_total
from fxpsim.cost.metrics.joined import Metric, Record
from fxpsim.cost.timeline import Settings


def adept_overhead(
    *,
    elements: int,
    word_bits: int,
    nonzero: float,
    resolution: float,
    lookback: float,
    accumulation_steps: int = 1,
    interval: int = 10,
) -> float:
    """Return ADEPT's cost of PushDown and PushUp for one layer and iteration, in bit-weighted operations.

    ``O = 32 (3 D b r nz + (lb + 1) D + 1) interval / (lb accs)`` with ``b = 2 log2(WL - 8)`` above 8 bits, else 1.
    D is the size proxy ``elements``. Source: released code of AdaPT (lorenz0890/AdaPT), ``INTERVAL = 10``.

    >>> adept_overhead(elements=100, word_bits=8, nonzero=1.0, resolution=50, lookback=25)
    225292.8
    """
    bisections = 2 * float(np.log2(word_bits - 8)) if word_bits > 9 else (0.0 if word_bits == 9 else 1.0)
    push_down = 3 * elements * bisections * resolution * nonzero
    push_up = (lookback + 1) * elements + 1
    return 32 * (push_down + push_up) * interval / (lookback * accumulation_steps)


def adept(joined: Record, *, overhead: Mapping[str, float] | None = None) -> list[Metric]:
    """Return ADEPT's speed-up, inference speed-up, size and memory metrics.

    ``C_q = sum_i sum_l nz (m WL + O)``, ``SU = 2 C_32 / (C_q + C_32)`` (backward pass float32, as dear as forward),
    ``SU_inf = sum 32 m / sum nz m WL`` and ``SZ = mean(WL) / 32 * mean(nz)`` at the last step,
    ``MEM = 1 + mean(nz) mean(WL) / 32`` averaged over steps. WL and nz are those of the weight stream; m are textbook
    MACs. Source: formulas of the released code of AdaPT (lorenz0890/AdaPT).
    """
    overhead = overhead or {}
    quantized = total = 0.0
    share = np.zeros(2)
    weighted = Weighted(joined.steps)
    for (layer, macs), (_, settings) in zip(joined.macs.items(), joined.layers(("weight", "forward")), strict=True):
        weight = settings.roles["weight@forward"]
        cost = weight.nonzero * (macs * weight.mean_bits + overhead.get(layer, 0.0))
        quantized += float_total(cost, settings.steps)
        total += 32.0 * macs * joined.steps
        last = joined.last(layer, "weight")
        share += [float(last.mean_bits[0]), float(last.nonzero[0])]
        weighted.add(settings, weight.mean_bits, weight.nonzero)
    inference = sum(32.0 * macs for macs in joined.macs.values()) / sum(
        macs * float(joined.last(layer, "weight").mean_bits[0]) * float(joined.last(layer, "weight").nonzero[0])
        for layer, macs in joined.macs.items()
    )
    count = len(joined.macs)
    convention = "ADEPT: weight word length and non-zero share, forward MACs, backward float32 charged as forward"
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
