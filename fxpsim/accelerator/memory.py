"""One memory level: capacity, words, bandwidth, energy, and the reuse that the level inside it makes possible."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from fxpsim.accelerator.base import Count, NotNegative, Positive, SourcedTable, Table


class Reuse(StrEnum):
    """How often an operand passes this level during one GEMM.

    ``unique``: every element once. ``folds``: again for every fold of the array that needs it, and partial sums for
    every fold of the reduction. ``tiled``: as ``unique`` while one operand fits into the next level inwards, else the
    cheaper of re-reading a for every block of b and b for every block of a. ``macs``: at every multiplication
    (registers of a processing element).
    """

    UNIQUE = "unique"
    FOLDS = "folds"
    TILED = "tiled"
    MACS = "macs"


class Memory(SourcedTable):
    """A memory level.

    ``holds`` names the operands of a GEMM that pass it. An element takes whole words of ``granularity_bits`` unless
    ``packed``. ``bandwidth_bits_per_cycle`` is shared by reads and writes, or given to each (``ports = "separate"``).
    A level that is not ``double_buffered`` moves data while the array waits. No ``size_kib`` means large enough.
    Without ``partial_sums`` only finished results pass: the sums between folds stay in a level further in.
    """

    size_kib: Positive | None = None
    granularity_bits: Count = 8
    packed: bool = True
    bandwidth_bits_per_cycle: Positive | None = None
    ports: Literal["shared", "separate"] = "shared"
    read_pj_per_bit: NotNegative
    write_pj_per_bit: NotNegative
    energy_low_factor: Annotated[float, Field(ge=0, le=1)] = 1.0
    energy_high_factor: Annotated[float, Field(ge=1)] = 1.0
    leakage_mw: NotNegative = 0.0
    reuse: Annotated[Reuse, Field(strict=False)] = Reuse.UNIQUE
    holds: Annotated[tuple[Literal["a", "b", "out"], ...], Field(min_length=1, strict=False)] = ("a", "b", "out")
    double_buffered: bool = True
    partial_sums: bool = True


class Metadata(Table):
    """What block-wise formats store beside the codes: bits for every block of ``block_elements`` elements."""

    block_elements: Count
    shared_exponent_bits: Annotated[int, Field(ge=0)] = 0
    bit_map_bits: NotNegative = 0.0
    zero_mask_bits_per_element: NotNegative = 0.0
