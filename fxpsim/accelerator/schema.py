"""The accelerator file as a whole."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fxpsim.accelerator.base import Count, Positive, SourcedTable, Table, WordBits
from fxpsim.accelerator.energy import Energies
from fxpsim.accelerator.mac_array import MacArray
from fxpsim.accelerator.memory import Memory, Metadata, Reuse
from fxpsim.accelerator.units import UpdateUnit, VectorUnit


class Timing(Table):
    """What runs at the same time.

    ``overlap``: ``full`` takes the largest of compute and every memory's time; ``first_load`` adds the loading of
    operand a in front; ``none`` adds everything. With ``vector_overlap`` the vector unit works in the array's shadow.
    """

    overlap: Literal["full", "first_load", "none"]
    vector_overlap: bool = True


class Check(Table):
    """A value that the cost model must give for this file: a GEMM, its operand bits, its compute cycles."""

    m: Count
    k: Count
    n: Count
    kernel_positions: Count = 1
    a_bits: WordBits
    b_bits: WordBits
    compute_cycles: Count
    mac_energy_pj: Positive | None = None
    note: str = Field(min_length=1)


class Accelerator(SourcedTable):
    """An accelerator: the arithmetic that the simulator executes and the constants that the cost model prices.

    Examples
    --------
    >>> from fxpsim.accelerator import load
    >>> target = load("int8_systolic_32x32")
    >>> target.mac_array.accumulator.word_bits, target.vector_unit.arithmetic
    (32, 'float32')
    >>> target.with_set("mac_array.rows", "16").mac_array.rows
    16
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    description: str = Field(min_length=1)
    technology: str = Field(min_length=1)
    frequency_mhz: Positive
    mac_array: MacArray
    vector_unit: VectorUnit
    update_unit: UpdateUnit
    timing: Timing
    memory: Annotated[dict[str, Memory], Field(min_length=1)]
    energy: Energies
    metadata: Metadata | None = None
    check: Annotated[tuple[Check, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in self.memory:
            if not name.isidentifier():
                raise ValueError(f"memory names of letters, digits and _, not {name!r}")
        if self.mac_array.rate.law == "fused" and self.mac_array.rate.max_bits != self.mac_array.operand_word_bits:
            raise ValueError("mac_array.operand_word_bits equal to mac_array.rate.max_bits for a fused array")
        sized = False
        for name, memory in self.memory.items():
            if memory.reuse is Reuse.TILED and not sized:
                raise ValueError(f"a level with size_kib inside memory.{name}: its reuse is tiled")
            sized = sized or memory.size_kib is not None
        return self

    def with_set(self, key: str, value: object) -> "Accelerator":
        """Return a copy with one value changed, named by its dotted key.

        Parameters
        ----------
        key : str
            For example ``memory.dram.bandwidth_bits_per_cycle``.
        value : object
            The new value; a string is read as TOML reads it (``"64"``, ``"true"``, ``"folds"``).

        Raises
        ------
        UserError
            If there is no such key or the value is not allowed.
        """
        from fxpsim.accelerator.overrides import apply_set

        return apply_set(self, key, value)
