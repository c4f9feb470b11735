"""Accelerator files: what is read, and how a mistake is answered."""

import re
from pathlib import Path

import pytest

from fxpsim.accelerator import Accelerator, load, parse
from fxpsim.errors import UserError
from fxpsim.numerics import Overflow, Rounding
from fxpsim.shipped import find, names

TEXT = find("accelerators", "int8_systolic_32x32").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", names("accelerators"))
def test_every_shipped_file_is_valid_and_named_like_its_file(name: str) -> None:
    accelerator = load(name)
    assert accelerator.name == name
    assert list(accelerator.memory)[-1] == "dram"


def test_fields_that_the_simulator_reads() -> None:
    accelerator = load("int8_systolic_32x32")
    accumulator = accelerator.mac_array.accumulator
    assert (accumulator.word_bits, accumulator.overflow, accumulator.order) == (32, Overflow.WRAP, "sequential")
    assert (accumulator.chunk, accumulator.product_drop_bits, accumulator.rounding) == (16, 0, Rounding.HALF_EVEN)
    assert accelerator.mac_array.operand_word_bits == 8
    assert accelerator.vector_unit.arithmetic == accelerator.update_unit.arithmetic == "float32"
    integer = load("int8_all_integer")
    assert (integer.vector_unit.arithmetic, integer.vector_unit.word_bits) == ("fixed", 16)
    assert (integer.update_unit.arithmetic, integer.update_unit.master_format) == ("fixed", "s32f24")
    assert integer.update_unit.master_bits() == 32


def test_loading_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TEXT, encoding="utf-8")
    assert load(path) == load("int8_systolic_32x32")


def test_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load("int8_systolic_32x32").name = "other"


def broken(pattern: str, replacement: str) -> str:
    text, count = re.subn(pattern, replacement, TEXT, count=1, flags=re.MULTILINE)
    assert count == 1
    return text


@pytest.mark.parametrize(
    ("pattern", "replacement", "expected"),
    [
        ("^columns = 32", "colums = 32", ["mac_array.colums", "'columns'"]),
        ("^read_pj_per_bit", "read_pj_per_bits", ["memory.accumulators.read_pj_per_bits", "'read_pj_per_bit'"]),
        (r'law = "fixed"', 'law = "fuzed"', ["mac_array.rate", "fused"]),
        (r'law = "fixed"', 'law = "fused"\nmax_bits = 8\nmin_bit = 2', ["mac_array.rate.min_bit", "'min_bits'"]),
        ("^rows = 32", "rows = 32\nrows = 16", ["not valid TOML", "rows"]),
        (r"^\[memory.dram\]", "[memory.buffer]", ["not valid TOML"]),
        ("^rows = 32", "rows = 0", ["mac_array.rows = 0", "greater than or equal to 1"]),
        ("^rows = 32", 'rows = "32"', ["mac_array.rows = '32'", "integer"]),
        ("^rows = 32", "", ["missing key 'mac_array.rows'"]),
        ("^pj = 4.6\n.*", "pj = 4.6", ["missing key 'energy.float32_mac.source'", "where the constants"]),
        ("^word_bits = 32", "word_bits = 99", ["word_bits = 99", "less than or equal to 64"]),
        ("^bandwidth_bits_per_cycle = 64.0", "bandwidth_bits_per_cycle = -1.0", ["bandwidth", "greater than 0"]),
        ("^read_pj_per_bit = 20.3", "read_pj_per_bit = inf", ["memory.dram.read_pj_per_bit", "finite"]),
        ('^overflow = "wrap"', 'overflow = "wrp"', ["accumulator.overflow = 'wrp'", "saturate"]),
        ('reuse = "folds"', 'reuse = "fold"', ["memory.accumulators.reuse = 'fold'", "unique"]),
        ("^reference_bits = 8", "reference_bits = 5", ["energy.mac", "reference_bits among bits"]),
    ],
)
def test_mistakes_name_file_key_and_expectation(pattern: str, replacement: str, expected: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        parse(broken(pattern, replacement), where="my.toml")
    message = str(caught.value)
    assert "my.toml" in caught.value.where
    assert caught.value.expected
    assert caught.value.remedy
    for part in expected:
        assert part in message


def test_wrong_format_text_is_refused() -> None:
    text = find("accelerators", "int8_all_integer").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="master_format"):
        parse(text.replace('master_format = "s32f24"', 'master_format = "s99q24"'), where="my.toml")


def test_unknown_name_and_missing_file() -> None:
    with pytest.raises(UserError, match="int8_systolic_32x32"):
        load("int8_systolic_32x23")
    with pytest.raises(UserError, match="no such accelerator file"):
        load("nowhere/mine.toml")


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot read"):
        load(path)


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("memory.dram.bandwidth_bits_per_cycle", "32", lambda a: a.memory["dram"].bandwidth_bits_per_cycle == 32),
        ("memory.dram.size_kib", 64.0, lambda a: a.memory["dram"].size_kib == 64),
        ("mac_array.fill_drain", "false", lambda a: a.mac_array.fill_drain is False),
        ("mac_array.dataflow", "output_stationary", lambda a: a.mac_array.dataflow == "output_stationary"),
        ("mac_array.accumulator.overflow", '"saturate"', lambda a: a.mac_array.accumulator.overflow == "saturate"),
        ("energy.mac.law", "table", lambda a: a.energy.mac.law == "table"),
    ],
)
def test_with_set(key: str, value: object, read) -> None:
    before = load("int8_systolic_32x32")
    after = before.with_set(key, value)
    assert isinstance(after, Accelerator)
    assert read(after)
    assert not read(before)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("memory.dram.bandwith_bits_per_cycle", "32", "bandwidth_bits_per_cycle"),
        ("memory.drum.reuse", "unique", "dram"),
        ("mac_array.rows", "-3", "greater than or equal to 1"),
        ("mac_array.rate.max_bits", "8", "law"),
        ("name.first", "8", "is a value"),
    ],
)
def test_with_set_refuses(key: str, value: object, expected: str) -> None:
    with pytest.raises(UserError, match=expected) as caught:
        load("int8_systolic_32x32").with_set(key, value)
    assert key in caught.value.where
