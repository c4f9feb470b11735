"""Casts against what SystemC and ap_fixed themselves gave; the programs are beside the sums in tests/golden."""

import csv
import zlib
from pathlib import Path

import numpy as np
import pytest

import fxpsim as fx

GOLDEN = Path(__file__).parents[1] / "golden"
ROUNDINGS = ("floor", "toward_zero", "half_up", "half_down", "half_toward_zero", "half_away", "half_even")
SOURCES = {
    name: fx.QTensor(np.arange(fmt.min_code, fmt.max_code + 1), fmt)
    for name, fmt in ((name, fx.FixedFormat.parse(name)) for name in ("s10f5", "u10f5", "s8f4", "u8f4"))
}


def rows(library):
    with (GOLDEN / library / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def crc(q):
    return f"{zlib.crc32(q.codes.astype('<i2').tobytes()):08x}"


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_no_cast_differs_from_systemc(rounding):
    """504 targets, sources and overflow modes for each rounding; 1,024 values each."""
    table = rows("systemc")
    assert len(table) == 504
    different = []
    for row in table:
        for x in (SOURCES[row["source"]], SOURCES[row["source"]].value):
            q = fx.cast(x, row["target"], rounding, row["overflow"], overflow_bits=int(row["overflow_bits"]))
            if crc(q) != row[rounding]:
                different.append({k: row[k] for k in ("target", "source", "overflow", "overflow_bits")})
    assert not different


def cast_of(row, flavor):
    x, bits = SOURCES[row["source"]], int(row["overflow_bits"])
    return fx.cast(x, row["target"], row["rounding"], row["overflow"], overflow_bits=bits, flavor=flavor)


def test_no_cast_differs_from_ap_fixed():
    """840 casts of 256 values."""
    table = rows("ap_fixed")
    assert len(table) == 840
    assert not [row for row in table if crc(cast_of(row, "ap")) != row["crc"]]


def test_the_flavors_are_needed():
    """Where ap_fixed and SystemC differ is where the manual says."""
    different = [row for row in rows("ap_fixed") if crc(cast_of(row, "systemc")) != row["crc"]]
    kinds = {(row["target"][0], row["overflow"], row["overflow_bits"] != "0") for row in different}
    assert kinds == {
        ("s", "saturate_symmetric", False),
        ("u", "wrap", True),
        ("s", "wrap_sign_magnitude", False),
    }
    assert {row["target"] for row in different if row["overflow"] == "saturate_symmetric"} == {"s1f0"}


def test_the_golden_sums_tell_modes_apart():
    # a sweep whose sums were all alike would prove nothing
    assert len({row[r] for row in rows("systemc") for r in ROUNDINGS}) > 1000
    assert len({row["crc"] for row in rows("ap_fixed")}) > 150
