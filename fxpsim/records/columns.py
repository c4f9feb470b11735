"""The schemas of the record tables: every column with its type, unit and meaning."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    SHARE = "share"
    NUMBER = "number"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: name, kind, unit, meaning, least value, and whether it or a value of it may be absent."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    least: int | None = None
    most: int | None = None
    optional: bool = False
    nullable: bool = False
    default: object = None


def _text(name: str, meaning: str, **options: bool) -> Column:
    return Column(name=name, kind=Kind.TEXT, unit="name", meaning=meaning, **options)


def _count(name: str, unit: str, meaning: str, *, least: int = 0) -> Column:
    return Column(name=name, kind=Kind.INTEGER, unit=unit, meaning=meaning, least=least)


def _share(name: str, meaning: str) -> Column:
    return Column(name=name, kind=Kind.SHARE, unit="share of 1", meaning=meaning, nullable=True)


PASSES = ("forward", "input_grad", "weight_grad", "update")
STREAMS = ("weight", "activation", "error", "gradient", "master", "momentum")

WORKLOAD_COLUMNS: tuple[Column, ...] = (
    _text("layer", "the layer that the GEMM belongs to"),
    _text("pass", "forward, input_grad or weight_grad"),
    _text("op", "the operation that became this GEMM: matmul, conv2d ..."),
    _count("m", "elements", "rows of a and of the result", least=1),
    _count("k", "elements", "length of the reduction", least=1),
    _count("n", "elements", "columns of b and of the result", least=1),
    _count("a_elements", "elements", "elements of operand a in memory, before im2col, of all `count` GEMMs", least=1),
    _count("b_elements", "elements", "elements of operand b in memory, of all `count` GEMMs", least=1),
    _count("out_elements", "elements", "elements of the result in memory, of all `count` GEMMs", least=1),
    Column(
        name="count",
        kind=Kind.INTEGER,
        unit="GEMMs",
        meaning="identical GEMMs of this row (the groups of a grouped convolution)",
        least=1,
        optional=True,
        default=1,
    ),
    Column(
        name="kernel_positions",
        kind=Kind.INTEGER,
        unit="positions",
        meaning="factor of k that is kernel height x width; the rest are channels",
        least=1,
        optional=True,
        default=1,
    ),
)

VECTOR_COLUMNS: tuple[Column, ...] = (
    _text("layer", "the layer that the work belongs to"),
    _text("pass", "forward, input_grad, weight_grad or update"),
    _text("op", "the operation: relu, bias, pool, requantize, statistics ..."),
    _count("read_elements", "elements", "elements read"),
    _count("write_elements", "elements", "elements written"),
    _count("operations", "operations", "scalar operations of the unit"),
)

ACCUMULATION_COLUMNS: tuple[Column, ...] = (
    _count("step_begin", "steps", "first step of the interval"),
    _count("step_end", "steps", "first step after the interval", least=1),
    _text("layer", "the layer that the GEMMs belong to"),
    _text("pass", "forward, input_grad or weight_grad"),
    _count("sums", "results", "results of the GEMMs"),
    _count("products", "products", "products that were added"),
    _count("overflowed", "visits", "visits to the overflow logic that found a sum out of range; of wrapping: results"),
    _count("flushed", "products", "products that their rounding set to zero without their being zero"),
    _count("inexact", "products", "products that their rounding changed"),
)

HISTORY_COLUMNS: tuple[Column, ...] = (
    _count("step_begin", "steps", "first step of the interval"),
    _count("step_end", "steps", "first step after the interval", least=1),
    _text("layer", "the layer"),
    _text("stream", "weight, activation, error, gradient, master, momentum; with @pass where a pass differs"),
    Column(name="word_bits", kind=Kind.INTEGER, unit="bits", meaning="word length, sign included", least=1, most=64),
    Column(
        name="frac_bits",
        kind=Kind.INTEGER,
        unit="bits",
        meaning="fraction length; null with word_bits 32: float32; null otherwise: no one fraction length",
        nullable=True,
    ),
    _share("nonzero_share", "elements that are not zero"),
    _share("saturated_share", "elements that saturated"),
    _share("underflow_share", "non-zero elements that became zero"),
    _text("bits_histogram", "block-wise formats: bits:share;bits:share ...", optional=True, nullable=True),
    Column(
        name="metadata_bits_per_element",
        kind=Kind.NUMBER,
        unit="bits per element",
        meaning="shared exponents, bit maps, masks beside the codes; null: by the accelerator's [metadata]",
        least=0,
        optional=True,
        nullable=True,
    ),
    Column(
        name="relative_error",
        kind=Kind.NUMBER,
        unit="share of 1",
        meaning="quantization error relative to the tensor's norm",
        least=0,
        optional=True,
        nullable=True,
    ),
)
