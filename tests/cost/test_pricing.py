"""Pricing a history: exact sums, joins in time, and what belongs together."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxpsim.accelerator import load
from fxpsim.cost import Options, baseline_history, compare, price
from fxpsim.cost.workloads import Conv, training_workload
from fxpsim.errors import UserError
from fxpsim.records import as_history, write_table

TARGET = load("int8_systolic_32x32")
LAYERS = [Conv(name="a", batch=4, channels=40, filters=8), Conv(name="b", batch=4, channels=8, filters=70)]
WORK = training_workload(LAYERS)
STREAMS = ("weight", "activation", "error", "gradient")
STEPS = 12


def rows_of(bits: dict[tuple[str, str], list[int]], cuts: dict[tuple[str, str], list[int]]) -> list[dict[str, Any]]:
    """Intervals whose borders are where the bits change, and some more."""
    rows = []
    for (layer, stream), per_step in bits.items():
        borders = sorted(
            {0, STEPS, *cuts[layer, stream], *(i for i in range(1, STEPS) if per_step[i] != per_step[i - 1])}
        )
        for begin, end in itertools.pairwise(borders):
            width = per_step[begin]
            row = {"step_begin": begin, "step_end": end, "layer": layer, "stream": stream, "word_bits": width}
            shares = {"nonzero_share": 0.5, "saturated_share": 0.0, "underflow_share": 0.0}
            rows.append(row | {"frac_bits": None if width == 32 else 3} | shares)
    return rows


keys = [(layer.name, stream) for layer in LAYERS for stream in STREAMS]
runs = st.fixed_dictionaries(
    {key: st.lists(st.sampled_from([4, 8, 12, 32]), min_size=STEPS, max_size=STEPS) for key in keys}
)
borders = st.fixed_dictionaries({key: st.lists(st.integers(1, STEPS - 1), max_size=3) for key in keys})


@settings(max_examples=8, deadline=None)
@given(runs, borders, st.randoms())
def test_totals_are_the_sum_over_steps(bits: dict, cuts: dict, shuffle: Any) -> None:
    rows = rows_of(bits, cuts)
    shuffle.shuffle(rows)
    result = price(WORK, rows, TARGET)
    single: dict[tuple, dict[str, Any]] = {}
    total: dict[str, float] = {}
    for step in range(STEPS):
        now = {key: tuple([per_step[step]] * STEPS) for key, per_step in bits.items()}
        signature = tuple(value[0] for value in now.values())
        if signature not in single:
            constant = rows_of({key: list(value) for key, value in now.items()}, {key: [] for key in keys})
            single[signature] = price(WORK, [row | {"step_end": 1} for row in constant], TARGET).totals
        for name, value in single[signature].items():
            total[name] = total.get(name, 0) + value
    for name in ("macs", "bit_ops", "latency_cycles", "compute_cycles", "dram_read_bits", "buffer_write_bits"):
        assert result.totals[name] == total[name]
    for name in ("energy_pj", "energy_low_pj", "energy_high_pj"):
        assert result.totals[name] == pytest.approx(total[name], rel=1e-12)
    table = result.table
    assert int(table["macs"].sum()) == result.totals["macs"]
    assert float(table["energy_pj"].sum()) == pytest.approx(result.totals["energy_pj"])
    for _, group in table.groupby(["layer", "pass"], observed=True):
        assert group["step_begin"].tolist() == [0, *group["step_end"].tolist()[:-1]]
        assert group["step_end"].iloc[-1] == STEPS


def test_table_columns_and_one_row_per_layer_pass_and_interval(workload: Any, interval: Any) -> None:
    history = pd.concat([baseline_history(workload, word_bits=8, steps=10)], ignore_index=True)
    change = (history["layer"] == "fc") & (history["stream"] == "error")
    history.loc[change, "step_end"] = 4
    history = pd.concat([history, pd.DataFrame([interval(4, 10, "fc", "error", 6)])], ignore_index=True)
    table = price(workload, history, TARGET).table
    expected = ["step_begin", "step_end", "layer", "pass", "macs", "bit_ops", "latency_cycles"]
    expected += ["energy_pj", "energy_low_pj", "energy_high_pj"]
    for memory in TARGET.memory:
        expected += [f"{memory}_read_bits", f"{memory}_write_bits"]
    assert table.columns.tolist() == [*expected, "compute_cycles"]
    pairs = table.groupby(["layer", "pass"], observed=True).size().to_dict()
    assert pairs == {
        ("conv", "forward"): 1,
        ("conv", "weight_grad"): 1,
        ("conv", "update"): 1,
        ("fc", "forward"): 1,
        ("fc", "input_grad"): 2,
        ("fc", "weight_grad"): 2,
        ("fc", "update"): 1,
    }


def test_sums_beyond_64_bits_are_exact() -> None:
    row = {"layer": "big", "pass": "forward", "op": "matmul", "m": 2**20, "k": 2**15, "n": 2**14}
    work = [row | {"a_elements": 2**35, "b_elements": 2**29, "out_elements": 2**34}]
    result = price(work, baseline_history(work, word_bits=32, steps=10**6 + 1), TARGET)
    assert result.totals["bit_ops"] == 2**49 * 2**10 * (10**6 + 1)
    assert float(result.table["bit_ops"].iloc[0]) == float(result.totals["bit_ops"])


def test_groupings_add_up(workload: Any) -> None:
    result = price(workload, baseline_history(workload, word_bits=8, steps=5), TARGET)
    for frame in (result.by_layer(), result.by_pass()):
        assert int(frame["macs"].sum()) == result.totals["macs"]
        assert float(frame["energy_pj"].sum()) == pytest.approx(result.totals["energy_pj"])
    works = result.by_work()
    assert float(works["energy_pj"].sum()) == pytest.approx(result.totals["energy_pj"])
    assert set(works["work"]) == {"gemm", "requantize", "update", "leakage"}
    traffic = result.traffic()
    for memory in TARGET.memory:
        rows = traffic[traffic["memory"] == memory]
        assert int(rows["read_bits"].sum()) == result.totals[f"{memory}_read_bits"]
        assert int(rows["write_bits"].sum()) == result.totals[f"{memory}_write_bits"]
    assert result.assumptions
    assert result.not_counted
    assert any(
        constant.key == "memory.dram.read_pj_per_bit" and constant.unit == "pJ/bit" for constant in result.constants
    )


def test_model_size_and_stored_activations(workload: Any) -> None:
    result = price(workload, baseline_history(workload, word_bits=8, steps=2), TARGET)
    assert result.totals["model_bits"] == 8 * (27 * 8 + 5120)
    assert result.totals["stored_activation_bits"] == 8 * (4 * 64 * 3 + 4 * 512)
    base = price(workload, baseline_history(workload, word_bits=32, steps=2), TARGET)
    comparison = compare(result, base)
    assert comparison.as_dict()["model_size_ratio"] == 0.25
    assert comparison.speedup > 1 > comparison.energy_ratio
    with pytest.raises(UserError, match="MACs"):
        compare(result, price(workload, baseline_history(workload, word_bits=32, steps=3), TARGET))


def test_explicit_first_input_gradient_is_priced(layers: list[Conv]) -> None:
    work = training_workload(layers, first_input_grad=True)
    result = price(work, baseline_history(work, word_bits=8, steps=1), TARGET)
    assert ("conv", "input_grad") in set(zip(result.table["layer"], result.table["pass"], strict=True))


def test_frozen_layers(layers: list[Conv], workload: Any) -> None:
    work = training_workload(layers, frozen=["conv"])
    pairs = set(zip(work["layer"], work["pass"], strict=True))
    assert pairs == {("conv", "forward"), ("fc", "forward"), ("fc", "weight_grad")}
    result = price(
        workload, baseline_history(workload, word_bits=8, steps=1), TARGET, options=Options(frozen=("conv",))
    )
    assert set(result.by_pass()["pass"]) == {"forward", "input_grad", "weight_grad", "update"}
    conv = result.table[result.table["layer"] == "conv"]
    assert conv["pass"].tolist() == ["forward"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda h: h[h["layer"] != "fc"], ["'fc' of the workload has no interval"]),
        (lambda h: h[~((h["layer"] == "fc") & (h["stream"] == "error"))], ["no 'error' stream", "fc"]),
        (lambda h: h[~((h["layer"] == "fc") & (h["stream"] == "gradient"))], ["no 'gradient' stream", "fc"]),
        (lambda h: h.assign(layer=h["layer"].astype(str).replace("conv", "cnv")), ["unknown layer 'cnv'", "'conv'"]),
        (
            lambda h: h.assign(step_end=np.where((h["layer"] == "fc") & (h["stream"] == "weight"), 7, h["step_end"])),
            ["no interval for steps 7 to 9", "layer 'fc', stream 'weight'"],
        ),
    ],
)
def test_history_and_workload_must_fit(workload: Any, change: Any, expected: list[str]) -> None:
    history = change(baseline_history(workload, word_bits=8, steps=9))
    with pytest.raises(UserError) as caught:
        price(workload, history, TARGET)
    for part in expected:
        assert part in str(caught.value)
    assert caught.value.expected
    assert caught.value.remedy


def test_histories_without_gradients_use_the_accumulator_and_say_so(workload: Any) -> None:
    history = baseline_history(workload, word_bits=8, steps=9)
    history = history[history["stream"] != "gradient"]
    result = price(workload, history, TARGET)
    assert any("no gradient stream: it takes 32 bits" in line for line in result.assumptions)


def test_a_hundred_thousand_intervals_are_priced_without_a_loop_over_them() -> None:
    rng = np.random.default_rng(1)
    frames = []
    for layer in ("a", "b"):
        for stream in STREAMS:
            begin = np.arange(0, 100_000, 8) + 0
            columns = {"step_begin": begin, "step_end": begin + 8, "layer": layer, "stream": stream}
            columns |= {
                "word_bits": rng.integers(2, 10, begin.size),
                "frac_bits": 1,
                "nonzero_share": rng.random(begin.size),
            }
            frames.append(pd.DataFrame(columns | {"saturated_share": 0.0, "underflow_share": 0.0}))
    history = pd.concat(frames, ignore_index=True)
    assert len(history) == 100_000
    result = price(WORK, history, TARGET)
    assert sum(group.settings.count for group in result.groups) < 5000  # bits alone tell settings apart
    assert result.totals["macs"] == 100_000 * int((WORK["m"] * WORK["k"] * WORK["n"]).sum())


def test_errors_name_the_file_of_a_history(workload: Any, tmp_path: Any) -> None:
    path = tmp_path / "history.csv"
    history = baseline_history(workload, word_bits=8, steps=9)
    write_table(history[history["stream"] != "error"], path)
    for table in (path, as_history(path)):
        with pytest.raises(UserError) as caught:
            price(workload, table, TARGET)
        assert str(path) in caught.value.where


def test_products_of_two_activations_have_nothing_to_update(interval: Any) -> None:
    """Attention multiplies activations: such a layer has no gradient, no weights and no update."""
    work = training_workload(
        [Conv(name="fc", batch=4, channels=8, filters=8), Conv(name="mix", batch=4, channels=8, filters=8)]
    )
    rows = [interval(0, 2, layer, name, 8) for layer in ("fc", "mix") for name in ("weight", "activation", "error")]
    rows += [interval(0, 2, "fc", "gradient", 16), interval(0, 2, "fc", "master", 32)]
    result = price(work, rows, "int8_systolic_32x32")
    updates = {row["layer"] for row in result.table.to_dict("records") if row["pass"] == "update"}
    assert updates == {"fc"}
    assert result.totals["model_bits"] == 64 * 8
    same = baseline_history(work, word_bits=32, steps=2, like=rows)
    assert "gradient" not in set(same.loc[same["layer"] == "mix", "stream"])
    assert price(work, same, "int8_systolic_32x32").totals["model_bits"] == 64 * 32
