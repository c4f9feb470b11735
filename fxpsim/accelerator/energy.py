"""The energy constants of the units, each with its source."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from fxpsim.accelerator.base import NotNegative, Positive, SourcedTable, Table, WordBits


class MacLaw(StrEnum):
    """How the energy of a multiply-accumulate depends on the operand widths a and b, from the reference width r.

    ``table``: power laws between the points of the table: at (a, b) in a ``grid``, else at the geometric mean of a and
    b. ``linear``: (a + b) / 2r.
    ``product``: a b / r^2. ``constant``: 1. ``pe_cycle``: the cycles that one product occupies a processing element.
    """

    TABLE = "table"
    LINEAR = "linear"
    PRODUCT = "product"
    CONSTANT = "constant"
    PE_CYCLE = "pe_cycle"


class MacEnergy(SourcedTable):
    """Energy of one integer multiply-accumulate: a table over operand widths, the law in force and the range's laws.

    ``pj`` are the energies of equal widths ``bits``; ``grid`` has those of all pairs, a row for every width of a.
    """

    law: Annotated[MacLaw, Field(strict=False)]
    bits: Annotated[tuple[WordBits, ...], Field(min_length=1, strict=False)]
    pj: Annotated[tuple[Positive, ...], Field(min_length=1, strict=False)]
    grid: Annotated[tuple[Annotated[tuple[Positive, ...], Field(strict=False)], ...], Field(strict=False)] = ()
    reference_bits: WordBits
    range_laws: Annotated[tuple[Annotated[MacLaw, Field(strict=False)], ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _matching(self) -> Self:
        if len(self.bits) != len(self.pj):
            raise ValueError("as many entries in pj as in bits")
        if list(self.bits) != sorted(set(self.bits)):
            raise ValueError("bits in rising order, none twice")
        if self.grid and [len(row) for row in self.grid] != [len(self.bits)] * len(self.bits):
            raise ValueError("a grid with a row and a column for every entry of bits")
        if self.grid and any(row[place] != self.pj[place] for place, row in enumerate(self.grid)):
            raise ValueError("the energies pj on the diagonal of the grid")
        if self.reference_bits not in self.bits:
            raise ValueError(f"reference_bits among bits {list(self.bits)}, not {self.reference_bits}")
        if len(self.bits) == 1 and MacLaw.TABLE in (self.law, *self.range_laws):
            raise ValueError("at least two widths for the table law")
        return self

    @property
    def reference_pj(self) -> float:
        """Energy of one product of two ``reference_bits`` operands, in pJ."""
        return self.pj[self.bits.index(self.reference_bits)]


class EnergyConstant(SourcedTable):
    """Energy of one event, in pJ."""

    pj: NotNegative


class Energies(Table):
    """Energies of the three units. What a constant includes stands in its source."""

    mac: MacEnergy
    float32_mac: EnergyConstant
    accumulate_bit: EnergyConstant
    vector_operation: EnergyConstant
    update_operation: EnergyConstant
    requantize_element: EnergyConstant
    random_bit: EnergyConstant
