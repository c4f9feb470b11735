"""Answers to the questions that people ask."""

from typing import Any

import pytest

from fxpsim.accelerator import load
from fxpsim.cost import Gemm, baseline_history, price
from fxpsim.cost.questions import (
    FinishedRun,
    break_even,
    cost_to_accuracy,
    hottest_layers,
    pareto_table,
    until,
    what_if,
)
from fxpsim.errors import UserError

TARGET = load("int8_systolic_32x32")


def test_hottest_layers(workload: Any) -> None:
    result = price(workload, baseline_history(workload, word_bits=8, steps=3), TARGET)
    frame = hottest_layers(result, by="macs")
    assert frame["layer"].tolist() == ["conv", "fc"]
    assert frame["share"].sum() == pytest.approx(1)
    assert len(hottest_layers(result, count=1)) == 1
    with pytest.raises(UserError, match="no cost column 'watt'"):
        hottest_layers(result, by="watt")


def test_what_if_the_bandwidth_were_halved(workload: Any) -> None:
    changes = {"memory.dram.bandwidth_bits_per_cycle": 32.0, "mac_array.rows": 64}
    frame = what_if(workload, baseline_history(workload, word_bits=8, steps=3), TARGET, changes)
    assert frame["variant"].tolist()[0] == "as it is"
    assert frame["latency_ratio"].tolist()[0] == 1
    assert frame["latency_ratio"].tolist()[1] > 1.2


def test_flexible_hardware_pays_only_below_eight_bits() -> None:
    gemm = Gemm(m=50176, k=1152, n=128, a_elements=6422528, b_elements=147456, out_elements=6422528)
    fixed = TARGET.with_set("mac_array.rows", 16).with_set("mac_array.fill_drain", False)
    answer = break_even(load("bitfusion_16x32"), fixed, gemm)
    # 0.4592 pJ a fusion cycle against 0.2034 of a fixed 8-bit element: 8 x 8 loses, 4 x 4 (a quarter) wins
    assert answer.widest_cheaper_bits == 4
    assert answer.widest_faster_bits == 4
    expected = (0.4592 - 0.2034) / ((0.4592 - 0.2034) + (0.2034 - 0.4592 / 4))
    assert answer.least_narrow_share == pytest.approx(expected)


def test_cost_to_accuracy(workload: Any, interval: Any) -> None:
    history = [dict(row, frac_bits=None) for row in baseline_history(workload, word_bits=8, steps=6).to_dict("records")]
    history += [dict(row, step_begin=6, step_end=10, word_bits=16) for row in history]
    result = price(workload, history, TARGET)
    first = price(workload, [dict(row) for row in history if row["step_begin"] == 0], TARGET)
    assert until(result, 6).totals == first.totals
    found = cost_to_accuracy(result, [(3, 0.5), (6, 0.91), (9, 0.95)], target=0.9)
    assert found is not None
    assert (found.step, found.accuracy) == (6, 0.91)
    assert found.latency_cycles == first.totals["latency_cycles"]
    assert found.energy_pj == pytest.approx(first.totals["energy_pj"])
    assert cost_to_accuracy(result, [(3, 0.5)], target=0.9) is None


def test_pareto_table_over_runs_and_accelerators(workload: Any) -> None:
    runs = [
        FinishedRun(
            name=f"{bits} bit {accuracy}",
            workload=workload,
            history=baseline_history(workload, word_bits=bits, steps=2),
            accuracy=accuracy,
        )
        for bits, accuracy in ((4, 0.8), (8, 0.9), (16, 0.85), (32, 0.95))
    ]
    frame = pareto_table(runs, [TARGET, load("int16_systolic_32x32")])
    assert frame["run"].nunique() == 4
    assert frame["front_of_accelerator"].tolist() == [True, True, False, True] * 2
    assert 1 <= frame["front"].sum() <= 6
    assert not frame["front"][2]
