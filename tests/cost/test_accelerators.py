"""Every shipped accelerator carries check values, and the cost model gives them."""

import pytest

from fxpsim.accelerator import Check, load
from fxpsim.cost import Gemm, baseline_history, compare, evaluate, price
from fxpsim.cost.workloads import Conv, training_workload
from fxpsim.shipped import names

CASES = [(name, check) for name in names("accelerators") for check in load(name).check]


@pytest.mark.parametrize("name", names("accelerators"))
def test_every_file_has_check_values_and_sources(name: str) -> None:
    accelerator = load(name)
    assert len(accelerator.check) >= 2
    assert all(len(memory.source) > 20 for memory in accelerator.memory.values())


@pytest.mark.parametrize(
    ("name", "check"), CASES, ids=[f"{name}-{check.a_bits}x{check.b_bits}" for name, check in CASES]
)
def test_check_values(name: str, check: Check) -> None:
    sizes = {"a_elements": check.m * check.k, "b_elements": check.k * check.n, "out_elements": check.m * check.n}
    gemm = Gemm(m=check.m, k=check.k, n=check.n, kernel_positions=check.kernel_positions, **sizes)
    piece = evaluate(load(name), gemm, a_bits=check.a_bits, b_bits=check.b_bits)
    assert piece.cycles.tolist() == [check.compute_cycles]
    if check.mac_energy_pj is not None:
        assert piece.unit_pj[0] / gemm.macs == pytest.approx(check.mac_energy_pj, rel=1e-9)


@pytest.mark.parametrize("name", names("accelerators"))
def test_a_training_step_is_priced_and_eight_bits_cost_less_than_float(name: str) -> None:
    layers = [
        Conv(
            name="conv", batch=8, channels=3, filters=16, input_height=16, input_width=16, kernel=(3, 3), padding=(1, 1)
        ),
        Conv(name="fc", batch=8, channels=256, filters=10),
    ]
    workload = training_workload(layers)
    eight, wide = (price(workload, baseline_history(workload, word_bits=bits, steps=3), name) for bits in (8, 32))
    ratios = compare(eight, wide)
    assert ratios.speedup >= 1
    assert ratios.energy_ratio < 1
    assert ratios.model_size_ratio == 0.25
    totals = eight.totals
    assert totals["energy_low_pj"] <= totals["energy_pj"] <= totals["energy_high_pj"]
    assert all(constant.source for constant in eight.constants)
