"""The parts of a price against arithmetic done by hand."""

from typing import Any

import numpy as np
import pytest

from fxpsim.accelerator import Accelerator, MacLaw, load
from fxpsim.cost import Gemm, Options, baseline_history, evaluate, price
from fxpsim.cost.blocks import mean_pair_cost
from fxpsim.cost.mac_energy import mac_energy_pj
from fxpsim.cost.rates import rate_of
from fxpsim.cost.single import integer_states
from fxpsim.errors import UserError

TARGET = load("int8_systolic_32x32")
GEMM = Gemm(m=100, k=70, n=40, a_elements=5000, b_elements=2800, out_elements=4000)


def changed(**changes: object) -> Accelerator:
    accelerator = TARGET
    for key, value in changes.items():
        accelerator = accelerator.with_set(key.replace("__", "."), value)
    return accelerator


def test_traffic_by_reuse() -> None:
    piece = evaluate(TARGET, GEMM, a_bits=8, b_bits=4, out_bits=6)
    assert piece.reads["dram", "a"].tolist() == [40000]
    assert piece.reads["dram", "b"].tolist() == [11200]
    assert piece.writes["dram", "out"].tolist() == [24000]
    # weight stationary: 3 folds of k, 2 of n; a once for every fold of n, im2col counted in full
    assert piece.reads["buffer", "a"].tolist() == [100 * 70 * 2 * 8]
    assert piece.reads["buffer", "b"].tolist() == [70 * 40 * 4]
    assert ("buffer", "partial_sum") not in piece.writes
    assert piece.writes["accumulators", "partial_sum"].tolist() == [100 * 40 * 2 * 32]
    assert ("accumulators", "a") not in piece.reads
    # 4-bit words of an unpacked 32-bit memory take 32 bits
    assert piece.writes["accumulators", "out"].tolist() == [100 * 40 * 32]


def test_wider_operands_pass_again() -> None:
    piece = evaluate(TARGET, GEMM, a_bits=16, b_bits=24)
    assert piece.cycles.tolist() == [2 * 3 * 6 * (2 * 32 + 32 + 100 - 2) - 1]
    assert piece.reads["buffer", "a"].tolist() == [100 * 70 * 2 * 16 * 3]
    assert piece.reads["buffer", "b"].tolist() == [70 * 40 * 24 * 2]
    assert piece.unit_pj.tolist() == pytest.approx([GEMM.macs * 6 * 0.2034])


def test_utilization(workload: Any) -> None:
    piece = evaluate(TARGET, GEMM, a_bits=[8, 16], b_bits=8)
    assert piece.ideal_cycles.tolist() == [GEMM.macs / 1024, GEMM.macs * 2 / 1024]
    result = price(workload, baseline_history(workload, word_bits=8, steps=3), TARGET)
    totals = result.totals
    assert totals["utilization"] == pytest.approx(totals["macs"] / 1024 / totals["compute_cycles"])
    update = result.by_pass().set_index("pass").loc["update"]
    assert update["utilization"] == 0


def test_granularity_and_packing() -> None:
    packed = evaluate(changed(memory__dram__granularity_bits=64), GEMM, a_bits=3, b_bits=8)
    assert packed.reads["dram", "a"].tolist() == [-(-15000 // 64) * 64]
    loose = evaluate(changed(memory__dram__packed=False), GEMM, a_bits=3, b_bits=9)
    assert loose.reads["dram", "a"].tolist() == [5000 * 8]
    assert loose.reads["dram", "b"].tolist() == [2800 * 16]


def test_tiled_reuse() -> None:
    big = Gemm(m=1000, k=1000, n=1000, a_elements=10**6, b_elements=10**6, out_elements=10**6)
    half = 10**6 * 8 // 2  # a buffer of which one half holds half an operand
    tiled = changed(memory__dram__reuse="tiled", memory__buffer__size_kib=2 * half / 8192)
    piece = evaluate(tiled, big, a_bits=8, b_bits=8)
    assert piece.reads["dram", "a"].tolist() + piece.reads["dram", "b"].tolist() == [8 * 10**6, 16 * 10**6]
    fits = changed(memory__dram__reuse="tiled", memory__buffer__size_kib=8000.0)
    assert evaluate(fits, big, a_bits=8, b_bits=8).reads["dram", "b"].tolist() == [8 * 10**6]


def test_latency_composition() -> None:
    slow = {"memory__dram__bandwidth_bits_per_cycle": 8.0}
    dram = (40000 + 22400 + 32000) // 8
    compute = 6 * (2 * 32 + 32 + 100 - 2) - 1
    assert evaluate(changed(**slow), GEMM, a_bits=8, b_bits=8).latency.tolist() == [max(dram, compute)]
    first = evaluate(changed(**slow, timing__overlap="first_load"), GEMM, a_bits=8, b_bits=8)
    assert first.latency.tolist() == [40000 // 8 + max(dram - 5000, compute)]
    single = evaluate(changed(**slow, memory__dram__double_buffered=False), GEMM, a_bits=8, b_bits=8)
    assert single.latency.tolist() == [dram + compute]
    separate = evaluate(changed(**slow, memory__dram__ports="separate"), GEMM, a_bits=8, b_bits=8)
    assert separate.latency.tolist() == [(40000 + 22400) // 8]
    added = evaluate(changed(**slow, timing__overlap="none"), GEMM, a_bits=8, b_bits=8)
    assert added.latency[0] > dram + compute


def test_float_operands_pass_as_significands_and_move_as_words(workload: Any) -> None:
    base = price(workload, baseline_history(workload, word_bits=32, steps=1), TARGET)
    conv = base.groups[0]
    fixed = price(workload, baseline_history(workload, word_bits=24, steps=1), TARGET).groups[0]
    assert conv.compute_cycles.tolist() == fixed.compute_cycles.tolist()
    assert conv.memory_bits["dram"][0].tolist() == [32 * (4 * 64 * 3 + 216)]
    gemm = conv.pieces[0]
    assert gemm.unit_pj.tolist() == pytest.approx([gemm.macs[0] * 4.6])
    assert gemm.bit_ops.tolist() == [gemm.macs[0] * 1024]


def test_rate_laws() -> None:
    def cycles(name: str, a: int, b: int) -> float:
        no_float = np.zeros(1, np.bool_)
        return float(rate_of(load(name), np.array([a]), np.array([b]), no_float).element_cycles[0])

    assert [cycles("bitfusion_16x32", a, b) for a, b in ((8, 8), (5, 8), (4, 4), (3, 2), (1, 1), (16, 8), (16, 9))] == [
        1, 1, 1 / 4, 1 / 8, 1 / 16, 2, 4,
    ]  # fmt: skip
    assert [cycles("stripes_like", a, b) for a, b in ((8, 8), (5, 16), (3, 17))] == [8, 5, 6]
    assert [cycles("loom_like", a, b) for a, b in ((8, 8), (5, 3))] == [64, 15]
    assert [cycles("dynasty_like", a, b) for a, b in ((8, 8), (8, 2), (6, 8))] == [4, 1, 3]
    assert [1 / cycles("vnni_cpu", a, b) for a, b in ((8, 8), (8, 9))] == pytest.approx([90, 43])
    assert 1 / cycles("vnni_cpu", 32, 8) == pytest.approx(43 / 2)
    assert 1 / cycles("fpga_zu3eg", 4, 4) == pytest.approx(0.8 * (360 * 4 + 35280 / 16))


def test_mac_energy_laws() -> None:
    def energy(law: MacLaw, a: int, b: int) -> float:
        return float(mac_energy_pj(TARGET, law, np.array([a]), np.array([b]))[0])

    assert energy(MacLaw.TABLE, 4, 4) == 0.0824
    assert energy(MacLaw.TABLE, 4, 16) == 0.2034  # geometric mean 8
    assert energy(MacLaw.TABLE, 6, 6) == pytest.approx(0.0824 * (0.2034 / 0.0824) ** (np.log(1.5) / np.log(2)))
    assert energy(MacLaw.TABLE, 32, 32) == pytest.approx(0.6027**2 / 0.2034)  # the last power law goes on
    assert energy(MacLaw.LINEAR, 4, 8) == pytest.approx(0.2034 * 0.75)
    assert energy(MacLaw.PRODUCT, 4, 8) == pytest.approx(0.2034 / 2)
    assert energy(MacLaw.CONSTANT, 4, 8) == 0.2034
    assert energy(MacLaw.PE_CYCLE, 16, 8) == pytest.approx(0.4068)


def test_mac_energy_on_a_grid_of_pairs() -> None:
    grid = [[1.0, 2.0, 4.0, 8.0], [3.0, 5.0, 7.0, 9.0], [6.0, 8.0, 10.0, 12.0], [9.0, 10.0, 11.0, 13.0]]
    data = TARGET.model_dump(mode="json", exclude_none=True)
    data["energy"]["mac"] |= {"law": "table", "grid": grid, "pj": [1.0, 5.0, 10.0, 13.0]}
    target = Accelerator.model_validate(data)
    bits = np.array([2, 4, 8, 16])
    for row, width in enumerate(bits):
        found = mac_energy_pj(target, MacLaw.TABLE, np.full(4, width), bits)
        assert found.tolist() == pytest.approx(grid[row])
    # halfway in log between 2 and 8 bits of a would be 4; between 4 and 8, 2^2.5
    middle = mac_energy_pj(target, MacLaw.TABLE, np.array([8]), np.array([6]))[0]
    assert middle == pytest.approx(8.0 * (10.0 / 8.0) ** (np.log(1.5) / np.log(2)))
    data["energy"]["mac"]["pj"] = [2.0, 5.0, 10.0, 13.0]
    with pytest.raises(ValueError, match="diagonal"):
        Accelerator.model_validate(data)


def test_update(workload: Any) -> None:
    result = price(workload, baseline_history(workload, word_bits=8, steps=1), TARGET)
    (update,) = [group for group in result.groups if (group.layer, group.of_pass) == ("fc", "update")]
    weights = 5120
    assert update.memory_bits["dram"][0].tolist() == [weights * (8 + 32 + 32)]
    assert update.memory_bits["dram"][1].tolist() == [weights * (32 + 8 + 32)]
    assert update.latency_cycles.tolist() == [weights * 144 // 64]
    assert update.pieces[0].unit_pj.tolist() == pytest.approx([weights * 4 * 2.3])
    plain = price(
        workload, baseline_history(workload, word_bits=8, steps=1), TARGET, options=Options(momentum=False, update=True)
    )
    (update,) = [group for group in plain.groups if (group.layer, group.of_pass) == ("fc", "update")]
    assert update.memory_bits["dram"][1].tolist() == [weights * (32 + 8)]
    integer = price(workload, baseline_history(workload, word_bits=8, steps=1), "int8_all_integer")
    assert any("no master stream: it takes 32 bits" in line for line in integer.assumptions)


def test_stored_copies_and_recomputation(workload: Any, interval: Any) -> None:
    history = baseline_history(workload, word_bits=8, steps=4).to_dict("records")
    history = [dict(row, frac_bits=None) for row in history]
    history += [interval(0, 2, "fc", "activation@weight_grad", 2), interval(2, 4, "fc", "activation@weight_grad", 8)]
    result = price(workload, history, TARGET)
    copies = result.by_work().set_index("work").loc["stored_copy"]
    assert copies["dram_write_bits"] == 2 * 4 * 512 * 2  # two steps at 2 bits; at 8 bits the activation itself serves
    forward, again = (
        group for group in result.groups if (group.layer, group.of_pass) in {("fc", "forward"), ("fc", "weight_grad")}
    )
    assert forward.settings.count == again.settings.count == 2
    recomputed = price(workload, history, TARGET, options=Options(recompute=True))
    assert "stored_copy" not in set(recomputed.by_work()["work"])
    extra = recomputed.by_work().set_index("work").loc["recompute", "macs"]
    assert recomputed.totals["macs"] == result.totals["macs"] + extra
    assert extra == 4 * (4 * 64 * 27 * 8 + 4 * 5120)
    assert recomputed.totals["stored_activation_bits"] == 0


def test_zero_skipping_and_gating(workload: Any, interval: Any) -> None:
    history = baseline_history(workload, word_bits=8, steps=1)
    history.loc[history["stream"] == "activation", "nonzero_share"] = 0.25
    dense = price(workload, history, TARGET).groups[0]
    skipped = price(workload, history, changed(mac_array__zero_skip="a")).groups[0]
    gated = price(workload, history, changed(mac_array__zero_gate="both")).groups[0]
    assert skipped.compute_cycles[0] == -(-dense.compute_cycles[0] // 4)
    assert gated.compute_cycles[0] == dense.compute_cycles[0]
    for group in (skipped, gated):
        assert group.pieces[0].unit_pj[0] == pytest.approx(dense.pieces[0].unit_pj[0] / 4)


def test_block_wise_bits(workload: Any, interval: Any) -> None:
    target = load("dynasty_like")
    rows = baseline_history(workload, word_bits=8, steps=1).to_dict("records")
    rows = [
        dict(row, frac_bits=None, bits_histogram="0:0.25;2:0.5;8:0.25" if row["stream"] == "weight" else None)
        for row in rows
    ]
    lockstep = price(workload, rows, target).groups[0]
    ideal = price(workload, rows, target.with_set("mac_array.lockstep_blocks", 1)).groups[0]
    full = 8 * 1 * 27 * 4  # m folds, n folds, k, cycles of 8 bits
    assert ideal.compute_cycles.tolist() == [round(full * (0.5 + 0.25 * 4) / 4)]
    waiting = 0.25 * 0 + 1 * (0.75**4 - 0.25**4) + 4 * (1 - 0.75**4)
    assert lockstep.compute_cycles.tolist() == [int(np.ceil(full * waiting / 4))]
    assert ideal.bit_ops.tolist() == [round(4 * 64 * 27 * 8 * 8 * 3.0)]
    stored = 216 * (3.0 + (8 + 2.33) / 16)
    assert ideal.pieces[0].reads["dram", "weight"].tolist() == [int(np.ceil(stored / 8) * 8)]


def test_mean_pair_cost_of_dense_states_is_the_cost() -> None:
    states = integer_states(np.array([3, 8]))
    cost = mean_pair_cost(states, states, lambda a, b: (a * b).astype(float), lockstep_blocks=5)
    assert cost.tolist() == [9.0, 64.0]


def test_element_wise_work(workload: Any) -> None:
    history = baseline_history(workload, word_bits=8, steps=2)
    vector = [
        {
            "layer": "conv",
            "pass": "forward",
            "op": "relu",
            "read_elements": 100,
            "write_elements": 50,
            "operations": 64000,
        },
        {
            "layer": "loss",
            "pass": "forward",
            "op": "softmax",
            "read_elements": 10,
            "write_elements": 10,
            "operations": 640,
        },
        {
            "layer": "conv",
            "pass": "forward",
            "op": "statistics",
            "read_elements": 0,
            "write_elements": 0,
            "operations": 32,
        },
        {"layer": "fc", "pass": "update", "op": "sgd", "read_elements": 1, "write_elements": 1, "operations": 32},
    ]
    result = price(workload, history, TARGET, vector_workload=vector)
    works = result.by_work().set_index("work")
    assert works.loc["elementwise", "unit_energy_pj"] == pytest.approx(2 * 64640 * 2.3)
    assert works.loc["elementwise", "buffer_read_bits"] == 2 * 110 * 32
    assert works.loc["elementwise", "dram_read_bits"] == 0
    assert works.loc["policy", "unit_energy_pj"] == pytest.approx(2 * 32 * 2.3)
    conv, loss = result.groups[0], next(group for group in result.groups if group.layer == "loss")
    assert conv.latency_cycles.tolist() == [2000 + 1 + 2048 // 32]  # the array waits for its vector unit
    assert loss.latency_cycles.tolist() == [20]
    serial = price(workload, history, changed(timing__vector_overlap=False), vector_workload=vector).groups[0]
    alone = price(workload, history, TARGET).groups[0]
    assert serial.latency_cycles[0] == alone.latency_cycles[0] + 2000 + 1 + 64
    everywhere = price(workload, history, TARGET, vector_workload=vector, options=Options(elementwise_memory="all"))
    assert everywhere.by_work().set_index("work").loc["elementwise", "dram_write_bits"] == 2 * 60 * 32
    (update,) = [group for group in result.groups if (group.layer, group.of_pass) == ("fc", "update")]
    assert update.pieces[0].unit_pj.tolist() == pytest.approx([32 * 2.3])


def test_random_bits_and_policy_options(workload: Any) -> None:
    history = baseline_history(workload, word_bits=8, steps=1)
    stochastic = changed(update_unit__rounding="stochastic", mac_array__accumulator__rounding="stochastic")
    stochastic = stochastic.with_set("mac_array.accumulator.product_drop_bits", 2)
    options = Options(random_bits={"error": 8}, policy_operations_per_element=3.0, policy_every_steps=2)
    result = price(workload, history, stochastic, options=options)
    works = result.by_work().set_index("work")
    weights, macs, errors = 216 + 5120, result.totals["macs"], 4 * 512
    assert works.loc["random_bits", "unit_energy_pj"] == pytest.approx(0.03 * (32 * weights + 2 * macs + 8 * errors))
    results = 4 * 64 * 8 + 40 + errors + weights
    assert works.loc["policy", "unit_energy_pj"] == pytest.approx(results * 1.5 * 2.3)


def test_leakage(workload: Any) -> None:
    result = price(workload, baseline_history(workload, word_bits=8, steps=1), changed(memory__dram__leakage_mw=100.0))
    leakage = result.by_work().set_index("work").loc["leakage", "energy_pj"]
    seconds = result.totals["latency_cycles"] / 500e6
    assert leakage == pytest.approx((16.5 + 100.0) * 1e-3 * seconds * 1e12)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"random_bits": {"weights": 8}}, "unknown result stream 'weights'"),
        ({"elementwise_memory": "onchip"}, "did you mean 'on_chip'"),
        ({"policy_every_steps": 0}, "policy_every_steps is below 1"),
        ({"update_operations_per_weight": -1.0}, "update_operations_per_weight is negative"),
    ],
)
def test_bad_options(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        Options(**options)
