"""The published energies, and that the shipped files say what the catalog says."""

import pytest

from fxpsim.accelerator import load
from fxpsim.accelerator.catalog import (
    DRAM,
    OPERATIONS,
    SRAM,
    integer_add_pj,
    integer_multiply_pj,
    operation_pj,
    sram_pj_per_bit,
)
from fxpsim.errors import UserError


def test_every_entry_has_unit_and_source() -> None:
    entries = [*OPERATIONS.values(), *SRAM.values(), *(entry for kind in DRAM.values() for entry in kind)]
    assert all(entry.value > 0 and entry.unit in {"pJ", "pJ/bit"} and len(entry.source) > 20 for entry in entries)


@pytest.mark.parametrize(("name", "node"), [("int8_systolic_32x32", "45nm"), ("int8_systolic_128x128_7nm", "7nm")])
def test_shipped_files_quote_the_catalog(name: str, node: str) -> None:
    target = load(name)
    float_mac = OPERATIONS[node, "multiply_float32"].value + OPERATIONS[node, "add_float32"].value
    assert target.energy.float32_mac.pj == pytest.approx(float_mac)
    assert target.memory["accumulators"].read_pj_per_bit == pytest.approx(SRAM[node, 8].value, rel=0.01)
    assert target.memory["buffer"].read_pj_per_bit == pytest.approx(SRAM[node, 1024].value, rel=0.01)
    dram = DRAM["ddr4" if node == "45nm" else "hbm2"]
    assert target.memory["dram"].read_pj_per_bit == pytest.approx(dram[0].value)
    highest = target.memory["dram"].read_pj_per_bit * target.memory["dram"].energy_high_factor
    assert highest == pytest.approx(dram[-1].value, rel=0.01)


def test_interpolation() -> None:
    assert integer_multiply_pj("45nm", 32, 32) == pytest.approx(3.1)
    assert integer_multiply_pj("7nm", 4, 4) == pytest.approx(0.07 / 4)
    assert integer_add_pj("7nm", 8) == pytest.approx(0.007)
    assert sram_pj_per_bit("7nm", 8) < sram_pj_per_bit("7nm", 64) < sram_pj_per_bit("7nm", 1024)


def test_what_is_not_published_is_refused() -> None:
    with pytest.raises(UserError, match="no published SRAM of 4096 KiB"):
        sram_pj_per_bit("45nm", 4096)
    with pytest.raises(UserError, match="unknown node '5nm'"):
        sram_pj_per_bit("5nm", 64)
    with pytest.raises(UserError, match="multiply_int8"):
        operation_pj("45nm", "multiply_int9")
