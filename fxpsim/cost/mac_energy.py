"""Energy of a multiply-accumulate by operand widths: the laws and their range."""

import numpy as np

from fxpsim.accelerator import Accelerator, MacLaw
from fxpsim.cost.arrays import Floats, Ints
from fxpsim.cost.rates import rate_of


def mac_energy_pj(accelerator: Accelerator, law: MacLaw, a_bits: Ints, b_bits: Ints) -> Floats:
    """Return the energy of one integer multiply-accumulate in pJ under a law (see ``MacLaw``).

    >>> from fxpsim.accelerator import load
    >>> target = load("int8_systolic_32x32")
    >>> eight = np.array([8])
    >>> [float(mac_energy_pj(target, law, eight, eight)[0]) for law in (MacLaw.TABLE, MacLaw.PRODUCT)]
    [0.2034, 0.2034]
    """
    table = accelerator.energy.mac
    reference, at_reference = float(table.reference_bits), table.reference_pj
    match law:
        case MacLaw.CONSTANT:
            return np.full(a_bits.shape, at_reference)
        case MacLaw.LINEAR:
            return (a_bits + b_bits).astype(np.float64) * (at_reference / (2 * reference))
        case MacLaw.PRODUCT:
            return (a_bits * b_bits).astype(np.float64) * (at_reference / reference**2)
        case MacLaw.PE_CYCLE:
            reference_bits = np.array([table.reference_bits])
            no_float = np.zeros(1, np.bool_)
            base = rate_of(accelerator, reference_bits, reference_bits, no_float).element_cycles
            cycles = rate_of(accelerator, a_bits, b_bits, np.zeros(a_bits.shape, np.bool_)).element_cycles
            return at_reference * cycles / base
        case MacLaw.TABLE:
            widths = np.array(table.bits)
            if table.grid:
                return _on_grid(widths, np.array(table.grid), a_bits, b_bits)
            return _interpolated(widths, np.array(table.pj), np.sqrt(a_bits * b_bits))


def mac_energy_range_pj(accelerator: Accelerator, a_bits: Ints, b_bits: Ints) -> tuple[Floats, Floats]:
    """Return the least and the largest energy over the law in force and the file's ``range_laws``."""
    table = accelerator.energy.mac
    energies = [mac_energy_pj(accelerator, law, a_bits, b_bits) for law in {table.law, *table.range_laws}]
    return np.minimum.reduce(energies), np.maximum.reduce(energies)


def _interpolated(bits: Ints, pj: Floats, at: Floats) -> Floats:
    """Power law between neighbors of the table; the end pieces go on beyond it."""
    x, y, z = np.log(bits), np.log(pj), np.log(np.maximum(at, 1.0))
    place = np.clip(np.searchsorted(x, z) - 1, 0, len(bits) - 2)
    slope = (y[place + 1] - y[place]) / (x[place + 1] - x[place])
    exact = np.searchsorted(bits, at)
    on_point = bits[np.minimum(exact, len(bits) - 1)] == at
    between = np.exp(y[place] + slope * (z - x[place]))
    return np.where(on_point, pj[np.minimum(exact, len(bits) - 1)], between)


def _on_grid(bits: Ints, pj: Floats, a_bits: Ints, b_bits: Ints) -> Floats:
    """Power laws in both widths between neighbors of the grid; the end pieces go on beyond it."""
    x, z = np.log(bits), np.log(pj)

    def place(widths: Ints) -> tuple[Ints, Floats]:
        at = np.log(np.maximum(widths, 1))
        low = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(bits) - 2)
        return np.asarray(low, np.int64), (at - x[low]) / (x[low + 1] - x[low])

    (row, down), (column, right) = place(a_bits), place(b_bits)
    upper = z[row, column] * (1 - right) + z[row, column + 1] * right
    lower = z[row + 1, column] * (1 - right) + z[row + 1, column + 1] * right
    return np.exp(upper * (1 - down) + lower * down)
