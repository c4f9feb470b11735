"""ADEPT's overhead against the released formulas, worked out by hand."""

from typing import Any

import numpy as np
import pytest

from fxpsim.cost.metrics import adept, adept_overhead, adept_with_overhead, record
from fxpsim.cost.metrics.adept_overhead import controllers, madds, size_proxy
from fxpsim.cost.plan import gemms_of
from fxpsim.cost.workloads import Conv, training_workload
from fxpsim.records import as_workload

BATCH = 4
CONV = Conv(
    name="conv", batch=BATCH, channels=3, filters=8, input_height=8, input_width=8, kernel=(3, 3), padding=(1, 1)
)
FC = Conv(name="fc", batch=BATCH, channels=512, filters=10)
WORK = training_workload([CONV, FC])


def switch(step: int, layer: str, lookback: int, resolution: int) -> list[dict[str, Any]]:
    line = {"step": step, "layer": layer, "stream": "weight", "word_bits": 8, "frac_bits": 4}
    return [line | {"quantity": "lookback", "value": lookback}, line | {"quantity": "resolution", "value": resolution}]


def found(metrics: list[Any]) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics}


def history(interval: Any) -> list[dict[str, Any]]:
    rows = [interval(0, 6, "conv", "weight", 8, nonzero_share=0.5), interval(6, 10, "conv", "weight", 12)]
    rows += [interval(0, 10, "fc", "weight", 10)]
    return rows + [interval(0, 10, layer, stream, 8) for layer in ("conv", "fc") for stream in ("activation", "error")]


def test_bisections() -> None:
    at = {"elements": 10, "nonzero": 1.0, "resolution": 50.0, "lookback": 25.0}
    for word_bits, bisections in ((8, 1.0), (9, 0.0), (10, 2.0), (16, 6.0), (32, 2 * np.log2(24))):
        expected = 32 * (3 * 10 * bisections * 50 + 26 * 10 + 1) * 10 / 25
        assert adept_overhead(word_bits=word_bits, **at) == pytest.approx(expected)


def test_a_windows_values_hold_for_its_own_steps() -> None:
    lines = [*switch(4, "conv", 5, 50), *switch(8, "conv", 4, 60)]
    lookback, resolution = controllers(lines)["conv"].at(np.array([0, 4, 5, 8, 9, 30]))
    assert lookback.tolist() == [5, 5, 4, 4, 4, 4]
    assert resolution.tolist() == [50, 50, 60, 60, 60, 60]


def test_overhead_of_a_run(interval: Any) -> None:
    lines = [*switch(4, "conv", 5, 50), *switch(8, "conv", 4, 60)]
    got = found(adept_with_overhead(record(WORK, history(interval)), WORK, lines, batch=BATCH))
    conv, fc = 27 * 8 * 64, 5120

    def spent(word_bits: int, nonzero: float, lookback: int, resolution: int) -> float:
        both = {"lookback": lookback, "resolution": resolution}
        return float(nonzero * adept_overhead(elements=9 * 8, word_bits=word_bits, nonzero=nonzero, **both))

    # steps 0 to 4: first window; 5: second window in the old format; 6 to 9: in the new one
    overhead = 5 * spent(8, 0.5, 5, 50) + spent(8, 0.5, 4, 60) + 4 * spent(12, 1.0, 4, 60)
    quantized = conv * (6 * 8 * 0.5 + 4 * 12) + fc * 10 * 10
    whole = 32 * 10 * (conv + fc)
    assert got["adept_speedup_with_overhead"] == pytest.approx(2 * whole / (quantized + overhead + whole))
    assert got["adept_overhead_share"] == pytest.approx(overhead / (quantized + overhead))
    assert got["adept_overhead_share_of_batch"] == pytest.approx(overhead / (BATCH * quantized + overhead))


def test_micro_batches_spread_the_overhead(interval: Any) -> None:
    joined, lines = record(WORK, history(interval)), switch(4, "conv", 5, 50)
    one, four = (
        found(adept_with_overhead(joined, WORK, lines, batch=BATCH, accumulation_steps=steps)) for steps in (1, 4)
    )
    assert four["adept_overhead_share"] < one["adept_overhead_share"]
    assert four["adept_overhead_share_of_batch"] == pytest.approx(one["adept_overhead_share_of_batch"])


def test_without_decisions_there_is_no_overhead(interval: Any) -> None:
    joined = record(WORK, history(interval))
    got = found(adept_with_overhead(joined, WORK, [], batch=BATCH))
    assert got["adept_overhead_share"] == 0
    assert got["adept_speedup_with_overhead"] == pytest.approx(found(adept(joined))["adept_speedup"])


def test_released_counting_has_the_profile_of_the_released_code() -> None:
    """The shares of AlexNet's five convolutions that the released formula gives when each layer counts once."""
    shapes = ((3, 64, 11, 32, 4, 5), (64, 192, 5, 4, 1, 2), (192, 384, 3, 2, 1, 1), (384, 256, 3, 2, 1, 1))
    layers = [
        Conv(
            name=f"conv{place}",
            batch=BATCH,
            channels=channels,
            filters=filters,
            input_height=size,
            input_width=size,
            kernel=(kernel, kernel),
            stride=(stride, stride),
            padding=(padding, padding),
        )
        for place, (channels, filters, kernel, size, stride, padding) in enumerate((*shapes, (256, 256, 3, 2, 1, 1)))
    ]
    work = gemms_of(as_workload(training_workload(layers)))
    counts = np.array([madds(work[layer.name, "forward"], BATCH, "released") for layer in layers], float)
    assert (100 * counts / counts.sum()).round(1).tolist() == [0.7, 7.1, 19.0, 50.7, 22.5]
    textbook = np.array([madds(work[layer.name, "forward"], BATCH) for layer in layers], float)
    assert (100 * textbook / textbook.sum()).round(1).tolist() == [9.9, 32.9, 17.7, 23.7, 15.8]


def test_fully_connected_layers() -> None:
    work = gemms_of(as_workload(WORK))["fc", "forward"]
    assert madds(work, BATCH) == 5120
    assert madds(work, BATCH, "released") == 2 * 5120 - 10
    assert size_proxy(work) == 512
