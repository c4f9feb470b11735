"""The vector unit and the update unit: their arithmetic and their rate."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from fxpsim.accelerator.base import Positive, SourcedTable, WordBits
from fxpsim.numerics import FixedFormat, Rounding


def _format_text(text: str) -> str:
    FixedFormat.parse(text)
    return text


FormatText = Annotated[str, AfterValidator(_format_text)]
RoundingName = Annotated[Rounding, Field(strict=False)]


class VectorUnit(SourcedTable):
    """Element-wise work and reductions, in binary32 or in fixed point of one word length."""

    arithmetic: Literal["float32", "fixed"]
    word_bits: WordBits = 32
    rounding: RoundingName = Rounding.HALF_EVEN
    operations_per_cycle: Positive

    @model_validator(mode="after")
    def _float_words(self) -> Self:
        if self.arithmetic == "float32" and self.word_bits != 32:
            raise ValueError("word_bits 32 when arithmetic is float32")
        return self


class UpdateUnit(SourcedTable):
    """Master weights, momentum and learning rate: binary32, or fixed point of given formats."""

    arithmetic: Literal["float32", "fixed"]
    master_format: FormatText = "s32f24"
    momentum_format: FormatText = "s32f24"
    shared_exponent: bool = False  # of each tensor: the formats say the word's bits and the finest binary point
    rounding: RoundingName = Rounding.HALF_EVEN
    operations_per_cycle: Positive

    @model_validator(mode="after")
    def _shared(self) -> Self:
        if self.shared_exponent and (self.arithmetic != "fixed" or self.master_format != self.momentum_format):
            raise ValueError("fixed arithmetic and one format for master and momentum where they share an exponent")
        return self

    def master_bits(self) -> int:
        """Return the bits of a master weight in memory."""
        return 32 if self.arithmetic == "float32" else FixedFormat.parse(self.master_format).word_bits

    def momentum_bits(self) -> int:
        """Return the bits of a momentum element in memory."""
        return 32 if self.arithmetic == "float32" else FixedFormat.parse(self.momentum_format).word_bits
