"""The strict base of every table of an accelerator file."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
WordBits = Annotated[int, Field(ge=1, le=64)]


class Table(BaseModel):
    """A table that refuses unknown keys, converts nothing and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True)


class SourcedTable(Table):
    """A table with physical or architectural constants: it says where they come from."""

    source: str = Field(min_length=1, description="where the constants of this table come from")
