"""What ADEPT's own decisions cost, by the formulas of its released code, and its speed-up with that counted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from fxpsim.cost.arrays import Floats, Ints, float_total
from fxpsim.cost.compute import Gemm
from fxpsim.cost.metrics.joined import Metric, Record
from fxpsim.cost.plan import Gemms, gemms_of
from fxpsim.records import as_workload

if TYPE_CHECKING:
    from fxpsim.records.workload import TableLike


class Counting(StrEnum):
    """How the MAdds of a layer's forward pass are counted."""

    TEXTBOOK = "textbook"
    RELEASED = "released"


@dataclass(frozen=True, kw_only=True)
class Controller:
    """Window and resolution of a layer's controller: the values of the window that ends before ``end``."""

    end: Ints
    lookback: Floats
    resolution: Floats

    def at(self, step: Ints) -> tuple[Floats, Floats]:
        """Return window and resolution at steps; behind the last switch its values hold."""
        place = np.minimum(np.searchsorted(self.end, step, side="right"), len(self.end) - 1)
        return self.lookback[place], self.resolution[place]


def controllers(decisions: Iterable[Mapping[str, Any]]) -> dict[str, Controller]:
    """Return layer -> what its controller looked at, from the lines of ``decisions.jsonl``.

    >>> lines = [{"step": 24, "layer": "fc", "quantity": "lookback", "value": 25}]
    >>> lines += [{"step": 24, "layer": "fc", "quantity": "resolution", "value": 50}]
    >>> controllers(lines)["fc"].at(np.array([0, 99]))
    (array([25., 25.]), array([50., 50.]))
    """
    found: dict[str, dict[int, dict[str, float]]] = {}
    for line in decisions:
        if line["quantity"] in ("lookback", "resolution"):
            switch = found.setdefault(line["layer"], {}).setdefault(line["step"] + 1, {})
            switch[line["quantity"]] = float(line["value"])
    return {
        layer: Controller(
            end=np.array(list(switches), np.int64),
            lookback=np.array([switch["lookback"] for switch in switches.values()]),
            resolution=np.array([switch["resolution"] for switch in switches.values()]),
        )
        for layer, switches in found.items()
    }


def adept_overhead(
    *,
    elements: int,
    word_bits: float | Floats,
    nonzero: float | Floats,
    resolution: float | Floats,
    lookback: float | Floats,
    accumulation_steps: int = 1,
    interval: int = 10,
) -> Floats:
    """Return ADEPT's cost of PushDown and PushUp for one layer and iteration, in bit-weighted operations.

    ``O = 32 (3 D b r nz + (lb + 1) D + 1) interval / (lb accs)`` with ``b = 2 log2(WL - 8)`` above 8 bits, else 1.
    D is the size proxy ``elements``. Source: released code of AdaPT (lorenz0890/AdaPT), ``INTERVAL = 10``.

    >>> float(adept_overhead(elements=100, word_bits=8, nonzero=1.0, resolution=50, lookback=25))
    225292.8
    """
    above = np.maximum(np.asarray(word_bits, np.float64) - 8, 1)
    bisections = np.where(np.asarray(word_bits) > 8, 2 * np.log2(above), 1.0)
    push_down = 3 * elements * bisections * resolution * nonzero
    push_up = (np.asarray(lookback) + 1) * elements + 1
    return np.asarray(32 * (push_down + push_up) * interval / (np.asarray(lookback) * accumulation_steps))


def adept_with_overhead(
    joined: Record,
    workload: "TableLike",
    decisions: Iterable[Mapping[str, Any]],
    *,
    batch: int,
    counting: Counting | str = Counting.TEXTBOOK,
    accumulation_steps: int = 1,
    interval: int = 10,
) -> list[Metric]:
    """Return ADEPT's speed-up with the overhead of its decisions, and the overhead's share of the forward cost.

    The released code sets the overhead of an iteration against the MAdds of **one sample** (``adept_overhead_share``);
    against all samples of the batch it is far smaller (``adept_overhead_share_of_batch``).

    Parameters
    ----------
    joined : Record
        Workload and history.
    workload : path, DataFrame or list of dict
        The GEMMs of a step.
    decisions : iterable of dict
        Lines of ``decisions.jsonl``; a layer that never switched has no overhead.
    batch : int
        Samples of a step.
    counting : {"textbook", "released"}
        MAdds as MACs, or by the formulas of the released code (once for each layer: the code enters convolutions twice
        and halves the map each time, which leaves nothing of the deeper layers of AlexNet).
    accumulation_steps, interval : int
        Micro-batches of an update; the constant of the released code.
    """
    work = {layer: entry for (layer, of_pass), entry in gemms_of(as_workload(workload)).items() if of_pass == "forward"}
    found = controllers(decisions)
    whole = quantized = overhead = 0.0
    macs = {layer: madds(work[layer], batch, counting) for layer in joined.macs}
    for layer, (sample_macs, settings) in zip(
        macs, replace(joined, macs=macs).layers(("weight", "forward")), strict=True
    ):
        weight = settings.roles["weight@forward"]
        controller = found.get(layer)
        begin = settings.begin if controller is None else np.union1d(settings.begin, controller.end)
        begin = begin[begin < settings.end[-1]]
        lengths = np.diff(np.append(begin, settings.end[-1]))
        setting = settings.setting[np.searchsorted(settings.begin, begin, side="right") - 1]
        bits, nonzero = weight.mean_bits[setting], weight.nonzero[setting]
        quantized += float_total(nonzero * (sample_macs * bits), lengths)
        whole += 32.0 * sample_macs * joined.steps
        if controller is not None:
            lookback, resolution = controller.at(begin)
            spent = adept_overhead(
                elements=size_proxy(work[layer]),
                word_bits=bits,
                nonzero=nonzero,
                resolution=resolution,
                lookback=lookback,
                accumulation_steps=accumulation_steps,
                interval=interval,
            )
            overhead += float_total(nonzero * spent, lengths)
    name = f"ADEPT, {Counting(counting)} MAdds of one sample, overhead of PushDown and PushUp of an iteration"
    return [
        Metric(
            name="adept_speedup_with_overhead",
            value=2 * whole / (quantized + overhead + whole),
            unit="ratio",
            convention=name + "; backward float32 charged as forward",
        ),
        Metric(
            name="adept_overhead_share",
            value=overhead / (quantized + overhead),
            unit="share",
            convention=name + ", of the forward cost",
        ),
        Metric(
            name="adept_overhead_share_of_batch",
            # an iteration is a micro-batch, and has its share of the step's overhead
            value=overhead / (batch / accumulation_steps * quantized + overhead),
            unit="share",
            convention="ADEPT's overhead against the MAdds of all samples of a batch (the released code takes one)",
        ),
    ]


def madds(work: Gemms, batch: int, counting: Counting | str = Counting.TEXTBOOK) -> int:
    """Return the MAdds of a layer's forward pass for one sample.

    ``textbook``: MACs. ``released``: ``2 H W (C_in k + 1) C_out C_in`` of a convolution with the size of its incoming
    map, ``2 m n - m`` of a fully connected layer.
    """
    if Counting(counting) is Counting.TEXTBOOK:
        return sum(gemm.macs for gemm in work.gemms) // batch
    return sum(_released(gemm, batch) for gemm in work.gemms)


def size_proxy(work: Gemms) -> int:
    """Return the D of the overhead: ``k^2 C_out`` of a convolution, the inputs of a fully connected layer."""
    return sum(gemm.kernel_positions * gemm.n if gemm.kernel_positions > 1 else gemm.k for gemm in work.gemms)


def _released(gemm: Gemm, batch: int) -> int:
    if gemm.kernel_positions == 1:
        return 2 * gemm.k * gemm.n - gemm.n
    channels, edge = gemm.k // gemm.kernel_positions, round(gemm.kernel_positions**0.5)
    positions = gemm.a_elements // (batch * channels)
    return 2 * positions * (channels * edge + 1) * gemm.n * channels
