"""The page about the accelerator file names every key."""

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from fxpsim.accelerator import Accelerator, FixedRate, FpgaRate, FusedRate, Memory, Metadata, SerialRate, ThroughputRate

PAGE = Path(__file__).parents[2] / "docs" / "accelerator-file.md"


def keys(table: type[BaseModel]) -> set[str]:
    found: set[str] = set()
    for name, field in table.model_fields.items():
        found.add(name)
        annotation: Any = field.annotation
        for choice in (annotation, *get_args(annotation)):
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                found |= keys(choice)
    return found


@pytest.mark.parametrize(
    "table", [Accelerator, Memory, Metadata, FixedRate, FusedRate, SerialRate, ThroughputRate, FpgaRate]
)
def test_every_key_is_explained(table: type[BaseModel]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    unnamed = {"accumulator", "rate", "mac_array", "vector_unit", "update_unit", "timing", "memory", "energy", "mac"}
    missing = [key for key in keys(table) - unnamed - {"metadata", "check"} if f"`{key}`" not in text]
    assert not missing
