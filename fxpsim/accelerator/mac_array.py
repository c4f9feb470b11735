"""The MAC array: its arithmetic (simulated bit for bit) and its shape, mapping and rate (priced)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from fxpsim.accelerator.base import Count, NotNegative, SourcedTable, Table, WordBits
from fxpsim.accelerator.rates import FixedRate, RateLaw
from fxpsim.numerics import Overflow, Rounding


class Dataflow(StrEnum):
    """Which matrix of a GEMM ``a (m x k) @ b (k x n)`` stays in the array; the published names, for the forward pass.

    ``weight_stationary`` keeps ``b`` (k on rows, n on columns), ``input_stationary`` keeps ``a`` (k on rows, m on
    columns), ``output_stationary`` keeps the result (m on rows, n on columns). In the gradient passes the same place
    of the GEMM stays, whatever tensor is there.
    """

    WEIGHT_STATIONARY = "weight_stationary"
    INPUT_STATIONARY = "input_stationary"
    OUTPUT_STATIONARY = "output_stationary"


class Mapping(StrEnum):
    """What the reduction of a convolution puts on the array: all of k (``im2col``) or only its channels."""

    IM2COL = "im2col"
    CHANNELS = "channels"


class AccumulatorSpec(Table):
    """The accumulator of a processing element: word, overflow, order of the sum, rounding of a product."""

    word_bits: WordBits = 32
    overflow: Annotated[Overflow, Field(strict=False)] = Overflow.WRAP
    order: Literal["sequential", "chunked"] = "sequential"
    chunk: Count = 16
    product_drop_bits: Annotated[int, Field(ge=0, le=63)] = 0
    rounding: Annotated[Rounding, Field(strict=False)] = Rounding.HALF_EVEN


class MacArray(SourcedTable):
    """The array that multiplies codes and accumulates them.

    ``lanes`` products along k are summed inside a processing element a cycle. ``operand_word_bits`` is the widest
    integer operand of one pass. A float32 operand takes the passes of a ``float_significand_bits`` integer.
    """

    rows: Count
    columns: Count
    lanes: Count = 1
    dataflow: Annotated[Dataflow, Field(strict=False)]
    mapping: Annotated[Mapping, Field(strict=False)]
    fill_drain: bool
    operand_word_bits: WordBits
    float_significand_bits: WordBits = 24
    zero_skip: Literal["none", "a", "b", "both"] = "none"
    zero_gate: Literal["none", "a", "b", "both"] = "none"
    lockstep_blocks: Count = 1
    leakage_mw: NotNegative = 0.0
    rate: RateLaw = FixedRate()
    accumulator: AccumulatorSpec = AccumulatorSpec()
