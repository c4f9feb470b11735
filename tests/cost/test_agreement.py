"""The closed forms against data measured from established tools (tests/cost/data: tool, version, command)."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fxpsim.accelerator import Accelerator, load
from fxpsim.cost import Gemm, Options, baseline_history, evaluate, price
from fxpsim.cost.workloads import Conv, training_workload

DATA = Path(__file__).parent / "data"


@cache
def data(name: str) -> dict[str, Any]:
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def target(base: str = "int8_systolic_32x32", **changes: object) -> Accelerator:
    accelerator = load(base)
    for key, value in changes.items():
        accelerator = accelerator.with_set(key.replace("__", "."), value)
    return accelerator


def gemm_of(m: int, k: int, n: int, kernel_positions: int = 1) -> Gemm:
    sizes = {"a_elements": m * k, "b_elements": k * n, "out_elements": m * n}
    return Gemm(m=m, k=k, n=n, kernel_positions=kernel_positions, **sizes)


@pytest.mark.parametrize("run", data("scalesim")["runs"], ids=lambda run: "-".join(str(v) for v in run.values()))
def test_scalesim_stall_free_cycles(run: dict[str, Any]) -> None:
    names = {"ws": "weight_stationary", "os": "output_stationary", "is": "input_stationary"}
    accelerator = target(
        mac_array__rows=run["rows"], mac_array__columns=run["columns"], mac_array__dataflow=names[run["dataflow"]]
    )
    piece = evaluate(accelerator, gemm_of(run["m"], run["k"], run["n"]), a_bits=8, b_bits=8)
    assert piece.cycles.tolist() == [run["cycles"]]


def test_scalesim_data_cover_all_dataflows_and_ragged_edges() -> None:
    runs = data("scalesim")["runs"]
    assert {run["dataflow"] for run in runs} == {"ws", "os", "is"}
    assert sum(run["k"] % run["rows"] != 0 for run in runs) > 10


def layer_gemm(row: dict[str, Any]) -> Gemm:
    positions = row["kernel_height"] * row["kernel_width"]
    outputs = row["out_height"] * row["out_width"]
    return Gemm(
        m=outputs,
        k=positions * row["channels"],
        n=row["filters"],
        a_elements=row["channels"] * row["padded_input_side"] ** 2,
        b_elements=positions * row["channels"] * row["filters"],
        out_elements=row["filters"] * outputs,
        kernel_positions=positions,
    )


LAYERS = data("resnet18_layers")["layers"]


@pytest.mark.parametrize("row", [row for row in LAYERS if "accelforge_latency_cycles" in row], ids=lambda r: r["layer"])
def test_accelforge_latency(row: dict[str, Any]) -> None:
    accelerator = target(mac_array__mapping="channels", mac_array__fill_drain=False)
    piece = evaluate(accelerator, layer_gemm(row), a_bits=8, b_bits=8)
    assert piece.latency.tolist() == [row["accelforge_latency_cycles"]]


@pytest.mark.parametrize("row", LAYERS, ids=lambda r: r["layer"])
def test_zigzag_latency_within_five_percent(row: dict[str, Any]) -> None:
    accelerator = target(mac_array__mapping="channels", mac_array__fill_drain=False, timing__overlap="first_load")
    (latency,) = evaluate(accelerator, layer_gemm(row), a_bits=8, b_bits=8).latency.tolist()
    assert latency == pytest.approx(row["zigzag_latency_cycles"], rel=0.05)
    if row["layer"] in ("conv1", "conv2_1a", "conv3_1a"):  # the rest differ by output tails and tile order
        assert latency == pytest.approx(row["zigzag_latency_cycles"], abs=64)


@pytest.mark.parametrize("row", LAYERS, ids=lambda r: r["layer"])
def test_zigzag_mac_energy(row: dict[str, Any]) -> None:
    accelerator = target(energy__mac__law="constant", energy__mac__pj=[0.01, 0.02, 0.04, 0.08])
    (energy,) = evaluate(accelerator, layer_gemm(row), a_bits=4, b_bits=8).unit_pj.tolist()
    assert energy == pytest.approx(row["zigzag_mac_energy_pj"], rel=1e-12)


@pytest.mark.parametrize("row", data("bitfusion")["layers"], ids=lambda row: f"{row['network']}-{row['layer']}")
def test_bitfusion_compute_cycles(row: dict[str, Any]) -> None:
    accelerator = target("bitfusion_16x32", mac_array__mapping=row["mapping"])
    gemm = gemm_of(row["m"], row["k"], row["n"], row["kernel_positions"])
    piece = evaluate(accelerator, gemm, a_bits=row["a_bits"], b_bits=row["b_bits"])
    assert piece.cycles.tolist() == [row["cycles"] - row["wait_cycles"]]


@pytest.mark.parametrize("case", data("qonnx")["cases"], ids=lambda case: "-".join(str(v) for v in case.values()))
def test_qonnx_bit_operations(case: dict[str, Any]) -> None:
    kernel = (case["kernel"], case["kernel"])
    layer = Conv(
        name="conv",
        batch=1,
        channels=case["channels"],
        filters=case["filters"],
        input_height=case["size"],
        input_width=case["size"],
        kernel=kernel,
        stride=(case["stride"], case["stride"]),
        padding=(case["kernel"] // 2, case["kernel"] // 2),
        groups=case["groups"],
    )
    workload = training_workload([layer], forward_only=True)
    bits = {"activation": case["a_bits"], "weight": case["b_bits"]}
    result = price(workload, baseline_history(workload, word_bits=bits, steps=1), target())
    assert result.totals["bit_ops"] == case["total_bops"]
    assert result.totals["macs"] == case["total_macs"]
    assert result.totals["model_bits"] == case["total_mem_w_bits"]


def resnet18(batch: int) -> list[Conv]:
    layers = []
    for entry in data("torch_flop_counter")["layers"]:
        convolution = entry["type"] == "Conv2d"
        sides = {"input_height": entry["input"][2], "input_width": entry["input"][3]} if convolution else {}
        layer = Conv(
            name=entry["name"],
            batch=batch,
            channels=entry["input"][1],
            filters=entry["weight"][0],
            kernel=tuple(entry["weight"][2:]) if convolution else (1, 1),
            stride=tuple(entry["stride"]),
            padding=tuple(entry["padding"]),
            **sides,
        )
        assert list(layer.output_sides) == (entry["output"][2:] if convolution else [1, 1])
        layers.append(layer)
    return layers


@pytest.mark.parametrize("batch", [1, 2])
def test_torch_flop_counter_on_resnet18(batch: int) -> None:
    measured = data("torch_flop_counter")[f"batch_{batch}"]
    forward = training_workload(resnet18(batch), forward_only=True)
    training = training_workload(resnet18(batch))
    counted = []
    for workload in (forward, training):
        result = price(workload, baseline_history(workload, word_bits=8, steps=1), target())
        counted.append(2 * result.totals["macs"])
    assert counted == [measured["forward_flops"], measured["forward_backward_flops"]]


def test_torch_counts_no_input_gradient_of_the_first_layer() -> None:
    everything = training_workload(resnet18(1), first_input_grad=True)
    result = price(
        everything, baseline_history(everything, word_bits=8, steps=1), target(), options=Options(update=False)
    )
    assert 2 * result.totals["macs"] == 3 * data("torch_flop_counter")["batch_1"]["forward_flops"]
