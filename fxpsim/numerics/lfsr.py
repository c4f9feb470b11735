"""A hardware source of random bits: Galois linear-feedback shift registers, one per lane."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fxpsim.errors import UserError

# Taps of maximal-length registers that shift right (bit i stands for the power i + 1 of x).
# Source: R. W. Ward, T. C. A. Molteno, "Table of Linear Feedback Shift Registers", University of Otago, 2012.
MAXIMAL_TAPS = {
    4: 0xC,
    5: 0x14,
    6: 0x30,
    7: 0x60,
    8: 0xB8,
    10: 0x240,
    12: 0xE08,
    16: 0xD008,
    24: 0xE10000,
    32: 0xA3000000,
}


@dataclass(frozen=True, kw_only=True)
class LfsrBits:
    r"""Random bits as a rounding unit makes them: ``lanes`` shift registers, one step per rounding.

    Each register steps as :math:`s \leftarrow (s \gg 1) \oplus (t \cdot (s \bmod 2))` with the taps :math:`t`. Element
    ``i`` is rounded in lane ``i mod lanes`` with the register's state after ``i // lanes`` steps.

    A register is never zero, so that the mean of its states is above one half by ``2**-(bits + 1)`` of the range:
    rounding up is more probable than the fraction by up to ``2**-bits``. Successive states overlap in all bits but
    one and are strongly correlated. Both are properties of the hardware, which this class is for;
    :class:`~fxpsim.numerics.RandomBits` has neither.

    Parameters
    ----------
    bits : int
        Length of a register, 2 to 32.
    taps : int, optional
        Feedback polynomial without its constant term; the maximal-length one of the table by default.
    seed : int
        Non-zero low ``bits`` bits: state of lane 0. The other lanes start ``lane * spacing`` steps later.
    lanes : int
        Number of registers.
    spacing : int
        Steps between the starts of neighboring lanes.

    Examples
    --------
    >>> [int(w) >> 28 for w in LfsrBits(bits=4, seed=1).words(6)]
    [1, 12, 6, 3, 13, 10]
    """

    bits: int = 16
    taps: int = 0
    seed: int = 1
    lanes: int = 1
    spacing: int = 97

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 32 or self.lanes < 1 or self.spacing < 0:
            raise UserError(
                f"bits={self.bits}, lanes={self.lanes}, spacing={self.spacing}",
                where="LfsrBits",
                expected="2 to 32 bits, at least one lane, spacing of at least 0",
            )
        if self.seed & self._ones == 0:
            raise UserError("the seed is zero", where="LfsrBits", expected="a state that is not zero", remedy="seed=1")
        if self.taps == 0 and self.bits not in MAXIMAL_TAPS:
            raise UserError(
                f"no taps for {self.bits} bits",
                where="LfsrBits",
                expected=f"taps, or one of the lengths {sorted(MAXIMAL_TAPS)}",
                remedy="give the feedback polynomial as taps=0x...",
            )

    @property
    def _ones(self) -> int:
        return (1 << self.bits) - 1

    @property
    def mask(self) -> int:
        """Which bits of a word count."""
        return self._ones << (32 - self.bits)

    def words(self, count: int, *, start: int = 0) -> NDArray[np.uint32]:
        """Return words ``start`` to ``start + count``: the states, moved to the leading bits of 32."""
        steps = -(-(start + count) // self.lanes)
        taps = self.taps or MAXIMAL_TAPS[self.bits]
        needed = steps + self.spacing * (self.lanes - 1)
        states = np.empty(max(needed, 1), np.uint32)
        state = self.seed & self._ones
        for i in range(needed):
            states[i] = state
            state = (state >> 1) ^ (taps if state & 1 else 0)
        lane_starts = self.spacing * np.arange(self.lanes)
        table = states[np.arange(steps)[:, None] + lane_starts]
        return table.ravel()[start : start + count] << np.uint32(32 - self.bits)
