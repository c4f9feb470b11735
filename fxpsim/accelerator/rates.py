"""How fast one processing element multiplies operands of given widths: the rate laws."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fxpsim.accelerator.base import Count, NotNegative, Positive, Table, WordBits


class FixedRate(Table):
    """A full-width multiplication a cycle; a wider operand takes one pass per ``operand_word_bits`` of it."""

    law: Literal["fixed"] = "fixed"


class FusedRate(Table):
    """Bit Fusion and BitBlade: ``floor(max/a) * floor(max/b)`` products a cycle, operands of at least ``min_bits``."""

    law: Literal["fused"]
    max_bits: WordBits
    min_bits: WordBits

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_bits > self.max_bits:
            raise ValueError(f"min_bits at most max_bits ({self.max_bits}), not {self.min_bits}")
        return self


class SerialRate(Table):
    """Stripes and Loom: the serial operand (or both) enters some bits a cycle, the other one whole.

    ``serial_operand`` is the operand's place in the GEMM (``a`` or ``b``), ``narrower`` of the two, or ``both``.
    """

    law: Literal["serial"]
    serial_operand: Literal["a", "b", "narrower", "both"]
    bits_per_cycle: WordBits = 1


class ThroughputRate(Table):
    """Measured or published rates of a processor: multiply-accumulates a cycle of the whole array by operand width.

    An operand uses the next wider container. ``efficiency`` is the share of the rate that a GEMM reaches.
    """

    law: Literal["throughput"]
    container_bits: Annotated[tuple[WordBits, ...], Field(min_length=1, strict=False)]
    macs_per_cycle: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]
    float32_macs_per_cycle: Positive
    efficiency: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _matching(self) -> Self:
        if len(self.container_bits) != len(self.macs_per_cycle):
            raise ValueError("as many entries in macs_per_cycle as in container_bits")
        if list(self.container_bits) != sorted(set(self.container_bits)):
            raise ValueError("container_bits in rising order, none twice")
        return self


class FpgaRate(Table):
    """An FPGA: DSP blocks multiply up to ``dsp_a_bits x dsp_b_bits``, packed when narrow; LUTs do the rest.

    ``dsp_packed_bits[i]`` is the widest operand of which ``dsp_packed_macs[i]`` products fit into one DSP block.
    ``luts`` build multipliers of ``luts_per_bit_product * a * b`` LUTs each.
    """

    law: Literal["fpga"]
    dsps: Annotated[int, Field(ge=0)]
    dsp_a_bits: WordBits
    dsp_b_bits: WordBits
    dsp_packed_bits: Annotated[tuple[WordBits, ...], Field(strict=False)] = ()
    dsp_packed_macs: Annotated[tuple[Count, ...], Field(strict=False)] = ()
    luts: Annotated[int, Field(ge=0)]
    luts_per_bit_product: Positive
    utilization: Annotated[float, Field(gt=0, le=1)] = 1.0
    reserved_luts_share: Annotated[NotNegative, Field(lt=1)] = 0.0

    @model_validator(mode="after")
    def _matching(self) -> Self:
        if len(self.dsp_packed_bits) != len(self.dsp_packed_macs):
            raise ValueError("as many entries in dsp_packed_macs as in dsp_packed_bits")
        if list(self.dsp_packed_bits) != sorted(set(self.dsp_packed_bits)):
            raise ValueError("dsp_packed_bits in rising order, none twice")
        if self.dsps + self.luts == 0:
            raise ValueError("some DSP blocks or some LUTs")
        return self


RateLaw = Annotated[FixedRate | FusedRate | SerialRate | ThroughputRate | FpgaRate, Field(discriminator="law")]
