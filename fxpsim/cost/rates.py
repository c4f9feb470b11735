"""The rate laws: how long a product of given operand widths occupies a processing element."""

from dataclasses import dataclass

import numpy as np

from fxpsim.accelerator import Accelerator, FixedRate, FpgaRate, FusedRate, SerialRate, ThroughputRate
from fxpsim.cost.arrays import Bools, Floats, Ints, ceil_div


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What operand widths do to the array, one entry per setting.

    ``passes_a * passes_b`` times the work is repeated on parts of the operands; a step lasts ``step_cycles``; a
    processing element multiplies ``fused`` pairs in it. Laws of a whole processor give ``macs_per_cycle`` instead.
    """

    passes_a: Ints
    passes_b: Ints
    step_cycles: Ints
    fused: Ints
    macs_per_cycle: Floats | None = None

    @property
    def passes(self) -> Ints:
        """Passes of the whole GEMM."""
        return self.passes_a * self.passes_b

    @property
    def element_cycles(self) -> Floats:
        """Cycles that one product occupies a processing element (or the whole processor)."""
        if self.macs_per_cycle is not None:
            return 1.0 / self.macs_per_cycle
        return self.passes * self.step_cycles / self.fused


def rate_of(accelerator: Accelerator, a_bits: Ints, b_bits: Ints, any_float: Bools) -> Rate:
    """Return the rate for operand widths; float operands come as the width of their significand."""
    law = accelerator.mac_array.rate
    one = np.ones(a_bits.shape, np.int64)
    native = accelerator.mac_array.operand_word_bits
    match law:
        case FixedRate():
            return Rate(
                passes_a=ceil_div(a_bits, native), passes_b=ceil_div(b_bits, native), step_cycles=one, fused=one
            )
        case FusedRate():
            fused = _fused(a_bits, law) * _fused(b_bits, law)
            passes_a, passes_b = ceil_div(a_bits, law.max_bits), ceil_div(b_bits, law.max_bits)
            return Rate(passes_a=passes_a, passes_b=passes_b, step_cycles=one, fused=fused)
        case SerialRate():
            return _serial(law, a_bits, b_bits, native)
        case ThroughputRate():
            return Rate(
                passes_a=one,
                passes_b=one,
                step_cycles=one,
                fused=one,
                macs_per_cycle=_processor(law, a_bits, b_bits, any_float),
            )
        case FpgaRate():
            return Rate(
                passes_a=one, passes_b=one, step_cycles=one, fused=one, macs_per_cycle=_fpga(law, a_bits, b_bits)
            )


def _fused(bits: Ints, law: FusedRate) -> Ints:
    """Bit Fusion: how often a narrow operand fits; one that is wider than the unit fills it in every pass."""
    return law.max_bits // np.minimum(np.maximum(bits, law.min_bits), law.max_bits)


def _serial(law: SerialRate, a_bits: Ints, b_bits: Ints, native: int) -> Rate:
    one = np.ones(a_bits.shape, np.int64)
    if law.serial_operand == "both":
        return Rate(passes_a=one, passes_b=one, step_cycles=ceil_div(a_bits, law.bits_per_cycle) * b_bits, fused=one)
    if law.serial_operand == "narrower":
        a_is_serial = a_bits <= b_bits
    else:
        a_is_serial = np.full(a_bits.shape, law.serial_operand == "a")
    serial, parallel = np.where(a_is_serial, a_bits, b_bits), np.where(a_is_serial, b_bits, a_bits)
    # The parallel operand is as wide as the unit's words; a wider one takes a pass per word.
    passes = ceil_div(parallel, native)
    return Rate(
        passes_a=np.where(a_is_serial, one, passes),
        passes_b=np.where(a_is_serial, passes, one),
        step_cycles=ceil_div(serial, law.bits_per_cycle),
        fused=one,
    )


def _processor(law: ThroughputRate, a_bits: Ints, b_bits: Ints, any_float: Bools) -> Floats:
    containers, rates = np.array(law.container_bits), np.array(law.macs_per_cycle)
    place = np.searchsorted(containers, np.maximum(a_bits, b_bits))
    widest = place == len(containers)
    # Wider than every container: passes over the widest one.
    parts = np.where(
        widest,
        ceil_div(a_bits, int(containers[-1])) * ceil_div(b_bits, int(containers[-1])),
        np.ones(a_bits.shape, np.int64),
    )
    integer = rates[np.minimum(place, len(containers) - 1)] / parts
    return np.where(any_float, law.float32_macs_per_cycle, integer) * law.efficiency


def _fpga(law: FpgaRate, a_bits: Ints, b_bits: Ints) -> Floats:
    wide, narrow = np.maximum(a_bits, b_bits), np.minimum(a_bits, b_bits)
    in_dsp = 1.0 / (ceil_div(wide, law.dsp_a_bits) * ceil_div(narrow, law.dsp_b_bits))
    for bits, macs in zip(reversed(law.dsp_packed_bits), reversed(law.dsp_packed_macs), strict=True):
        in_dsp = np.where(wide <= bits, float(macs), in_dsp)
    in_luts = law.luts * (1 - law.reserved_luts_share) / (law.luts_per_bit_product * np.maximum(a_bits * b_bits, 1))
    return (law.dsps * in_dsp + in_luts) * law.utilization
