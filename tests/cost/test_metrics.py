"""Published metrics against the figures that their authors print, and against arithmetic by hand."""

from typing import Any

import numpy as np
import pytest

from fxpsim.cost import baseline_history
from fxpsim.cost.metrics import (
    adept,
    cpt,
    dynasty,
    ebops,
    fractrain,
    iso_speedup,
    marvin,
    published_metrics,
    qonnx_bops,
    record,
)
from fxpsim.cost.workloads import Conv, training_workload

ONE = training_workload([Conv(name="l", batch=10, channels=20, filters=30)])
MACS = 6000


def values(metrics: list) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics}


def steps_history(interval: Any, forward: list[int], backward: int) -> list[dict[str, Any]]:
    rows = []
    for step, bits in enumerate(forward):
        for stream, width in (("weight", bits), ("activation", bits), ("error", backward)):
            rows.append(interval(step, step + 1, "l", stream, width))
    return rows


def cyclic(least: int, most: int, total: int, cycles: int) -> list[int]:
    """CPT's schedule: half a cosine up in every cycle, rounded half to even."""
    period = total // cycles
    place = np.arange(total) % period
    return np.rint(least + 0.5 * (most - least) * (1 - np.cos(np.pi * place / period))).astype(int).tolist()


def test_fractrain_prints_six_and_a_quarter_percent_for_eight_bits(interval: Any) -> None:
    joined = record(ONE, steps_history(interval, [8, 8, 8], 8))
    assert values(fractrain(joined)) == {"fractrain_cp": 0.0625, "fractrain_macs": 3 * 3 * MACS / 16}
    joined = record(ONE, steps_history(interval, [3, 4], 6))
    expected = (9 + 18 + 18 + 16 + 24 + 24) / 2 / 3 / 1024
    assert values(fractrain(joined))["fractrain_cp"] == pytest.approx(expected)


@pytest.mark.parametrize(("least", "most", "backward", "saving"), [(3, 8, 8, 36.67), (3, 6, 6, 30.04)])
def test_cpt_savings_of_the_paper(interval: Any, least: int, most: int, backward: int, saving: float) -> None:
    schedule = cyclic(least, most, 2000, 1)
    joined = record(ONE, steps_history(interval, schedule, backward))
    static = record(ONE, steps_history(interval, [most], backward))
    share = cpt(joined).value / (cpt(static).value * len(schedule))
    assert 100 * (1 - share) == pytest.approx(saving, abs=0.01)


def test_inference_bit_operations(interval: Any) -> None:
    rows = steps_history(interval, [8, 6], 8)
    rows[3]["bits_histogram"] = "0:0.5;6:0.5"
    joined = record(ONE, rows)
    assert ebops(joined, batch=10).value == 600 * 6 * 3
    rows[3]["bits_histogram"] = None
    assert qonnx_bops(record(ONE, rows), batch=10).value == 600 * 36


def test_adept(interval: Any) -> None:
    work = training_workload(
        [Conv(name="l", batch=1, channels=4, filters=5), Conv(name="r", batch=1, channels=2, filters=5)]
    )
    rows = [
        interval(0, 3, "l", "weight", 8, nonzero_share=0.5),
        interval(3, 4, "l", "weight", 16, nonzero_share=1.0),
        interval(0, 4, "r", "weight", 12, nonzero_share=0.8),
    ]
    rows += [interval(0, 4, layer, stream, 8) for layer in "lr" for stream in ("activation", "error")]
    found = values(adept(record(work, rows)))
    quantized = 20 * (3 * 8 * 0.5 + 16) + 10 * 4 * 12 * 0.8
    whole = 32 * 30 * 4
    assert found["adept_speedup"] == pytest.approx(2 * whole / (quantized + whole))
    assert found["adept_inference_speedup"] == pytest.approx(32 * 30 / (20 * 16 + 10 * 12 * 0.8))
    assert found["adept_size"] == pytest.approx(14 / 32 * 0.9)
    memory = 1 + (3 * 10 * 0.65 + 14 * 0.9) / 4 / 32
    assert found["adept_memory"] == pytest.approx(memory)
    assert found["adept_sparsity"] == pytest.approx(1 - (3 * 0.65 + 0.9) / 4)
    assert found["adept_final_sparsity"] == pytest.approx(1 - 0.9)
    (with_overhead, *_) = adept(record(work, rows), overhead={"l": 100.0})
    expected = 2 * whole / (quantized + 100 * (3 * 0.5 + 1) + whole)
    assert with_overhead.value == pytest.approx(expected)


def test_marvin_counts_zeros_and_charges_no_float_backward(interval: Any) -> None:
    rows = [interval(0, 3, "l", "weight", 8, nonzero_share=0.5), interval(3, 4, "l", "weight", 16, nonzero_share=0.1)]
    rows += [interval(0, 4, "l", stream, 8) for stream in ("activation", "error")]
    assert values(marvin(record(ONE, rows))) == {"marvin_speedup": 32 * 4 / (3 * 8 + 16), "marvin_size": 0.5}


def test_speedup_to_a_target_accuracy() -> None:
    assert iso_speedup(1.5, [0.1, 0.7, 0.7, 0.9], 0.7) == 1.5 * 4 / 2
    assert iso_speedup(1.5, [0.1, 0.2], 0.7) is None


def test_dynasty(interval: Any) -> None:
    histogram = "0:0.25;2:0.5;4:0.25"
    rows = [interval(0, 2, "l", stream, 8) for stream in ("activation", "error")]
    rows += [interval(0, 2, "l", "weight", 4, bits_histogram=histogram)]
    rows += [interval(0, 2, "l", "activation@weight_grad", 4, bits_histogram=histogram)]
    found = values(dynasty(record(ONE, rows), lockstep_blocks=4))
    assert found["dynasty_ideal_speedup"] == pytest.approx(8 / 2)
    slowest = 2 * (0.75**4 - 0.25**4) + 4 * (1 - 0.75**4)
    assert found["dynasty_lockstep_speedup"] == pytest.approx(8 / slowest)


def test_all_metrics_name_unit_and_convention() -> None:
    found = published_metrics(ONE, baseline_history(ONE, word_bits=8, steps=2), batch=10)
    assert len({metric.name for metric in found}) == len(found) == 15
    assert all(metric.unit and len(metric.convention) > 20 for metric in found)
    inference = training_workload([Conv(name="l", batch=10, channels=20, filters=30)], forward_only=True)
    assert len(published_metrics(inference, baseline_history(inference, word_bits=8, steps=2), batch=10)) == 10
