"""From cycles of the array and bits through the memories to latency and leakage."""

from collections.abc import Mapping

import numpy as np

from fxpsim.accelerator import Accelerator
from fxpsim.cost.arrays import Floats, Ints, ceil_ints


def memory_cycles(accelerator: Accelerator, name: str, read_bits: Ints, write_bits: Ints) -> Ints:
    """Return the cycles that a memory needs for its traffic; 0 where no bandwidth is given."""
    memory = accelerator.memory[name]
    bandwidth = memory.bandwidth_bits_per_cycle
    if bandwidth is None:
        return np.zeros_like(read_bits)
    if memory.ports == "separate":
        return ceil_ints(np.maximum(read_bits, write_bits) / bandwidth)
    return ceil_ints((read_bits + write_bits) / bandwidth)


def latency_cycles(
    accelerator: Accelerator, compute: Ints, by_memory: Mapping[str, Ints], first_load_bits: Ints | None = None
) -> Ints:
    """Return the latency of one piece of work.

    ``full``: ``max(compute, memories)``, plus the time of memories without double buffering. ``first_load``: operand
    a's load from the outermost memory, then ``max`` with the rest of that memory's time. ``none``: the sum.
    """
    if accelerator.timing.overlap == "none":
        return compute + sum(by_memory.values(), np.zeros_like(compute))
    parallel, waiting = compute, np.zeros_like(compute)
    outermost = list(accelerator.memory)[-1]
    for name, cycles in by_memory.items():
        remaining = cycles
        if name == outermost and accelerator.timing.overlap == "first_load" and first_load_bits is not None:
            bandwidth = accelerator.memory[name].bandwidth_bits_per_cycle
            loading = np.zeros_like(cycles) if bandwidth is None else ceil_ints(first_load_bits / bandwidth)
            loading = np.minimum(loading, cycles)
            waiting, remaining = waiting + loading, cycles - loading
        if accelerator.memory[name].double_buffered:
            parallel = np.maximum(parallel, remaining)
        else:
            waiting = waiting + remaining
    return parallel + waiting


def leakage_pj(accelerator: Accelerator, cycles: Ints) -> Floats:
    """Return ``(array + memories leakage in mW) * cycles / MHz * 1000`` in pJ."""
    leakage_mw = accelerator.mac_array.leakage_mw + sum(memory.leakage_mw for memory in accelerator.memory.values())
    return cycles.astype(np.float64) * (leakage_mw / accelerator.frequency_mhz * 1000.0)
