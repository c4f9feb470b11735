"""The formula behind every column of the cost table, in one line each."""

from fxpsim.accelerator import (
    Accelerator,
    Dataflow,
    FixedRate,
    FpgaRate,
    FusedRate,
    MacLaw,
    Mapping,
    SerialRate,
    ThroughputRate,
)
from fxpsim.cost.explain import REUSE_TEXTS

MAC_LAWS = {
    MacLaw.TABLE: "power laws between the points of energy.mac",
    MacLaw.LINEAR: "E_r (a + b) / 2r",
    MacLaw.PRODUCT: "E_r a b / r^2",
    MacLaw.CONSTANT: "E_r",
    MacLaw.PE_CYCLE: "E_r x cycles that a product of a x b bits occupies an element, relative to r x r bits",
}


def formulas(accelerator: Accelerator) -> dict[str, str]:
    """Return the formula of every column of the cost table, with this accelerator's numbers where they are fixed."""
    overlap = {
        "full": "max(compute_cycles, cycles of every memory = its bits / bandwidth)",
        "first_load": "load of a + max(compute_cycles, remaining memory cycles)",
        "none": "compute_cycles + cycles of every memory = its bits / bandwidth",
    }[accelerator.timing.overlap]
    found = {
        "macs": "m k n count, times the steps of the interval",
        "bit_ops": "macs a_bits b_bits (word lengths; means over blocks)",
        "compute_cycles": compute_formula(accelerator),
        "latency_cycles": overlap,
        "energy_pj": "macs (MAC energy + accumulator bits x accumulate energy) + sum over memories of bits x pJ/bit "
        "+ element-wise, update, requantization and random-bit operations x their energy + leakage x latency",
        "MAC energy": f"{MAC_LAWS[accelerator.energy.mac.law]}; E_r = {accelerator.energy.mac.reference_pj:g} pJ at "
        f"r = {accelerator.energy.mac.reference_bits} bits; float32: {accelerator.energy.float32_mac.pj:g} pJ",
        "energy_low_pj": "as energy_pj, least MAC law of the range and low memory factors",
        "energy_high_pj": "as energy_pj, largest MAC law of the range and high memory factors",
    }
    for name, memory in accelerator.memory.items():
        found[f"{name}_read_bits"] = f"elements of {', '.join(memory.holds)} x stored bits; {REUSE_TEXTS[memory.reuse]}"
        found[f"{name}_write_bits"] = f"as {name}_read_bits, results and partial sums"
    return found


def compute_formula(accelerator: Accelerator) -> str:
    """Return the closed form of an accelerator's compute cycles.

    >>> from fxpsim.accelerator import load
    >>> compute_formula(load("int8_systolic_32x32"))
    'ceil(k / 32) ceil(n / 32) p (94 + m) - 1 per GEMM; p = ceil(a / 8) ceil(b / 8)'
    """
    array = accelerator.mac_array
    rows, columns, lanes = array.rows, array.columns, array.lanes
    match array.rate:
        case FixedRate():
            word = array.operand_word_bits
            passes, step, fused = f"p = ceil(a / {word}) ceil(b / {word})", "", ""
        case FusedRate(max_bits=most, min_bits=least):
            of_a, of_b = (f"floor({most} / min(max({bits}, {least}), {most}))" for bits in "ab")
            passes = f"p = ceil(a / {most}) ceil(b / {most}), f = {of_a} {of_b}"
            step, fused = "", " f"
        case SerialRate(serial_operand=operand, bits_per_cycle=bits):
            serial = f"ceil(a / {bits}) b" if operand == "both" else f"ceil({operand} / {bits})"
            passes, step, fused = f"s = {serial}, p = passes of the parallel operand", " s", ""
        case ThroughputRate() | FpgaRate():
            return f"m, n, k rounded up to {rows}, {columns}, {lanes}, multiplied, over the rate at a x b bits"
    along_k = f"{lanes * (1 if array.dataflow is Dataflow.OUTPUT_STATIONARY else rows)}{fused}"
    along_k = f"({along_k})" if fused else along_k
    steps = f"ceil(k / {along_k})" if array.mapping is Mapping.IM2COL else f"positions ceil(k / positions / {along_k})"
    fill = (rows if array.dataflow is Dataflow.OUTPUT_STATIONARY else 2 * rows) + columns - 2
    match array.dataflow:
        case Dataflow.OUTPUT_STATIONARY:
            folds, stream = f"ceil(m / {rows}) ceil(n / {columns})", f"p{step} {steps}"
        case Dataflow.WEIGHT_STATIONARY:
            folds, stream = f"{steps} ceil(n / {columns}) p", f"m{step}"
        case Dataflow.INPUT_STATIONARY:
            folds, stream = f"{steps} ceil(m / {columns}) p", f"n{step}"
    closed = f"{folds} ({fill} + {stream}) - 1" if array.fill_drain else f"{folds} {stream}"
    return f"{closed} per GEMM; {passes}"
