"""Which products of a network could leave the accumulator: the range proof of every GEMM of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fxpsim.accelerator import Accelerator
from fxpsim.array import Accumulator
from fxpsim.numerics import FixedFormat
from fxpsim.train.precision import RunPrecision

# pass -> streams of its operands
OPERANDS = {
    "forward": ("activation", "weight"),
    "input_grad": ("error", "weight"),
    "weight_grad": ("activation", "error"),
}


def overflow_risks(
    accelerator: Accelerator, precision: RunPrecision, gemms: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the GEMMs whose sums may leave the accumulator at worst-case codes, with the numbers.

    Parameters
    ----------
    accelerator : Accelerator
        Its accumulator is the one in question.
    precision : RunPrecision
        Says the word length of each operand now.
    gemms : sequence of mapping
        Rows of the workload.

    Returns
    -------
    list of dict
        ``layer``, ``pass``, ``products`` (of a sum), ``safe_products`` (that cannot overflow) and ``needed_word_bits``.
        What really overflowed is counted at run time.
    """
    unit = accelerator.mac_array.accumulator
    accumulator = Accumulator(
        format=FixedFormat(word_bits=unit.word_bits, frac_bits=-unit.product_drop_bits),
        rounding=unit.rounding,
        overflow=unit.overflow,
        order=unit.order,
        chunk=unit.chunk,
    )
    risks = []
    for row in gemms:
        formats = [_worst(precision.quantizer(row["layer"], stream)) for stream in OPERANDS[row["pass"]]]
        a, b = formats
        if a is None or b is None:
            continue
        proof = accumulator.proof(a, b, row["k"])
        if not proof.holds:
            found = {"layer": row["layer"], "pass": row["pass"], "products": row["k"]}
            risks.append(found | {"safe_products": proof.safe_terms, "needed_word_bits": proof.needed_word_bits})
    return risks


def _worst(quantizer: Any) -> FixedFormat | None:
    """Return the format of an operand with the largest codes that its quantizer can choose; None for float."""
    if quantizer is None:
        return None
    signed = getattr(quantizer, "signed", True) is True
    return FixedFormat(word_bits=quantizer.word_bits, frac_bits=0, signed=signed)
