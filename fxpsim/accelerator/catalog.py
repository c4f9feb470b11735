"""Published energies to build accelerator files from, each with node, unit and source.

Values are those of a bare operator or memory access; what a file takes from here, it names in its ``source``.
"""

import math
from dataclasses import dataclass

from fxpsim.errors import UserError
from fxpsim.registry import unknown

_JOUPPI = "Jouppi et al., ISCA 2021, table 2"
_HOROWITZ = "Horowitz, ISSCC 2014, as in " + _JOUPPI


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published energy: of an operation in pJ, or of a memory in pJ per bit."""

    value: float
    unit: str
    source: str


def _operation(value: float, source: str) -> Published:
    return Published(value=value, unit="pJ", source=source)


def _per_bit(value: float, source: str) -> Published:
    return Published(value=value, unit="pJ/bit", source=source)


# (node, operation) -> energy
OPERATIONS: dict[tuple[str, str], Published] = {
    (node, name): _operation(value, _HOROWITZ if node == "45nm" else _JOUPPI)
    for name, values in {
        "add_int8": (0.03, 0.007),
        "add_int32": (0.1, 0.03),
        "add_float16": (0.4, 0.16),
        "add_float32": (0.9, 0.38),
        "multiply_int8": (0.2, 0.07),
        "multiply_int32": (3.1, 1.48),
        "multiply_float16": (1.1, 0.34),
        "multiply_float32": (3.7, 1.31),
    }.items()
    for node, value in zip(("45nm", "7nm"), values, strict=True)
}

# (node, size in KiB) -> energy of a bit, from a 64-bit access
SRAM: dict[tuple[str, int], Published] = {
    (node, size): _per_bit(access / 64, (_HOROWITZ if node == "45nm" else _JOUPPI) + f", {access:g} pJ for 64 bits")
    for size, accesses in {8: (10.0, 7.5), 32: (20.0, 8.5), 1024: (100.0, 14.0)}.items()
    for node, access in zip(("45nm", "7nm"), accesses, strict=True)
}

# kind -> energies of a bit, lowest first
DRAM: dict[str, tuple[Published, ...]] = {
    "ddr4": (
        _per_bit(20.3, f"1300 pJ for 64 bits, {_JOUPPI}"),
        _per_bit(40.6, "2600 pJ for 64 bits, Horowitz, ISSCC 2014"),
    ),
    "lpddr4": (_per_bit(8.0, "Accelergy CACTI plug-in (Accelergy-Project/accelergy-cacti-plug-in)"),),
    "hbm2": (
        _per_bit(3.9, "O'Connor et al., MICRO 2017 (device level)"),
        _per_bit(7.0, f"450 pJ for 64 bits, {_JOUPPI}"),
    ),
    "gddr6": (
        _per_bit(5.5, f"350 pJ for 64 bits, {_JOUPPI}"),
        _per_bit(7.5, f"480 pJ for 64 bits, {_JOUPPI}"),
    ),
}


def operation_pj(node: str, name: str) -> Published:
    """Return the energy of an operation at a node.

    >>> operation_pj("7nm", "multiply_int8").value
    0.07
    """
    if (node, name) not in OPERATIONS:
        raise unknown("operation", f"{node} {name}", [" ".join(key) for key in OPERATIONS])
    return OPERATIONS[node, name]


def integer_multiply_pj(node: str, a_bits: int, b_bits: int) -> float:
    """Return the energy of an integer multiplication, ``c a b`` with c interpolated from 8 x 8 to 32 x 32 bits.

    There is no published 16-bit multiplier in the table; the two published ones give nearly the same c.

    >>> round(integer_multiply_pj("45nm", 16, 16), 2), integer_multiply_pj("45nm", 8, 8)
    (0.79, 0.2)
    """
    low, high = operation_pj(node, "multiply_int8").value, operation_pj(node, "multiply_int32").value
    place = min(max((math.log(a_bits * b_bits) - math.log(64)) / math.log(16), 0.0), 1.0)
    per_product = (low / 64) ** (1 - place) * (high / 1024) ** place
    return per_product * a_bits * b_bits


def integer_add_pj(node: str, bits: int) -> float:
    """Return the energy of an integer addition, a straight line through the 8-bit and the 32-bit adder.

    >>> integer_add_pj("45nm", 32)
    0.1
    """
    low, high = operation_pj(node, "add_int8").value, operation_pj(node, "add_int32").value
    return low + (high - low) * (bits - 8) / 24


def sram_pj_per_bit(node: str, size_kib: float) -> float:
    """Return the energy of an SRAM bit by size, a power law between the published sizes (8 KiB to 1 MiB).

    Raises
    ------
    UserError
        Outside the published sizes, where nothing is known.

    >>> sram_pj_per_bit("45nm", 32), round(sram_pj_per_bit("45nm", 256), 2)
    (0.3125, 0.82)
    """
    sizes = sorted(size for its_node, size in SRAM if its_node == node)
    if not sizes:
        raise unknown("node", node, {its_node for its_node, _ in SRAM})
    if not sizes[0] <= size_kib <= sizes[-1]:
        raise UserError(
            f"no published SRAM of {size_kib:g} KiB",
            where=f"catalog, {node}",
            expected=f"{sizes[0]} to {sizes[-1]} KiB",
            remedy="build it from banks of a published size",
        )
    above = next(size for size in sizes if size >= size_kib)
    if above == size_kib:
        return SRAM[node, above].value
    below = max(size for size in sizes if size < size_kib)
    share = math.log(size_kib / below) / math.log(above / below)
    return SRAM[node, below].value ** (1 - share) * SRAM[node, above].value ** share
