"""An update unit whose words share one exponent per tensor: short integers with the range of the tensor itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.units.graph import apply, evaluate, leaf, parameter
from fxpsim.units.noise import noise_node
from fxpsim.units.update import AdamStep, FixedUpdate, Master, SgdStep
from fxpsim.units.values import CastCounts, Value

REGISTER = 32  # bits of the registers that hold a tensor while it is updated


@dataclass(slots=True)
class SharedMaster(Master):
    """A trained tensor whose words share an exponent.

    The arrays hold codes at the unit's finest binary point, as its registers do; all but the ``word_bits`` bits from
    the leading bit of the largest magnitude on are zero, and a memory need not keep them.

    Parameters
    ----------
    word_bits : int
        Bits of a stored word, sign included.
    """

    word_bits: int = 16

    def format_of(self, stream: str) -> FixedFormat | None:
        """Return the format of the stored words: it moves with the largest of them."""
        codes = self.weights if stream == "master" else self.moments[stream]
        assert self.format is not None
        frac_bits = self.format.frac_bits - surplus_bits(_largest(codes), self.word_bits)
        return FixedFormat(word_bits=self.word_bits, frac_bits=frac_bits)


class SharedExponentUpdate(FixedUpdate):
    """Stochastic gradient descent in words that share an exponent per tensor.

    A step runs in 32-bit registers as :class:`~fxpsim.units.update.FixedUpdate` says; then weights and momentum are
    rounded to ``word_bits`` bits below the leading bit of the tensor's largest magnitude.

    Parameters
    ----------
    word_bits : int
        Bits of a stored word, sign included.
    frac_bits : int
        Fraction length of the registers: the finest that a word can have.
    rounding : Rounding
        Of all words; stochastic rounding draws on the key of the step.
    """

    def __init__(self, word_bits: int, frac_bits: int, rounding: Rounding) -> None:
        register = FixedFormat(word_bits=REGISTER, frac_bits=frac_bits)
        super().__init__(register, register, rounding)
        self.word_bits = word_bits

    def create(self, values: np.ndarray) -> Master:
        """Round the initial values to the words (nearest even)."""
        wide = super().create(values)
        codes = self._kept(wide.weights, Rounding.HALF_EVEN, (0, 0))
        return SharedMaster(codes, wide.format, wide.moment_format, word_bits=self.word_bits)

    def sgd(self, master: Master, grad: Value, step: SgdStep, key: tuple[int, int]) -> dict[str, CastCounts]:
        """Make one step of stochastic gradient descent."""
        counts = super().sgd(master, grad, step, key)
        master.weights = self._kept(master.weights, self.rounding, (key[0], key[1] ^ 0x5BD1E995))
        for number, (name, codes) in enumerate(master.moments.items()):
            master.moments[name] = self._kept(codes, self.rounding, (key[0], key[1] ^ 0x27D4EB2F + number))
        return counts

    def adam(self, master: Master, grad: Value, step: AdamStep, key: tuple[int, int]) -> dict[str, CastCounts]:
        """Refuse: the squares of a gradient have twice the range of its words."""
        raise UserError(
            "this update unit has no Adam",
            where="update_unit.shared_exponent",
            expected="an optimizer of the SGD family",
            remedy="choose optimizer.name = 'sgd', or an accelerator without shared exponents",
        )

    def _kept(self, codes: np.ndarray, rounding: Rounding, key: tuple[int, int]) -> np.ndarray:
        """Return the codes with all bits but those of a word rounded away."""
        surplus = surplus_bits(_largest(codes), self.word_bits)
        if not surplus:
            return codes
        limit = (1 << (self.word_bits - 1)) - 1
        low, high = parameter(-limit, "i64"), parameter(limit, "i64")
        word = apply(
            f"round_shift_{rounding}", leaf(codes), parameter(surplus, "i32"), noise_node(rounding, key), dtype="i64"
        )
        word = apply("clamp", word, low, high, dtype="i64")
        moved = apply("shift_left", word, parameter(surplus, "i64"), dtype="i64")
        evaluate([(moved, "i32")])
        assert moved.array is not None
        return moved.array


def surplus_bits(largest: int, word_bits: int) -> int:
    """Return how many low bits of codes up to ``largest`` a word of ``word_bits`` bits has no room for.

    >>> surplus_bits(32767, 16), surplus_bits(32768, 16)
    (0, 1)
    """
    return max(0, largest.bit_length() - (word_bits - 1))


def _largest(codes: np.ndarray) -> int:
    return max(int(codes.max()), -int(codes.min())) if codes.size else 0
