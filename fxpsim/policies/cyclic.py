r"""CPT, cyclic precision training: weights and activations rise and fall together, errors stay.

With T steps, N cycles of :math:`P = \lfloor T / N \rfloor` steps and the step i

.. math:: B(i) = \mathrm{rint}\left(B_{min} + \tfrac12 (B_{max} - B_{min}) (1 - \cos(\pi \, (i \bmod P) / P))\right)

half a cosine up from the least word length, then a drop. Ties round to even.

The precision range test finds the least word length: the first steps train at growing word lengths, and the first one
at which the mean training accuracy rises by more than a threshold is taken. The released code has no such test; window
and threshold are our reconstruction.

Source: Fu et al., "CPT: efficient deep neural network training via cyclic precision", ICLR 2021 (arXiv 2101.09868),
schedule after the authors' code GATECH-EIC/CPT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from fxpsim.errors import UserError
from fxpsim.policies.base import Decision, Moment, State, Statistics, policies, spent

CYCLES = 32
PI = Fraction(3141592653589793238462643383279502884, 10**36)
GRID = 1 << 40
DEGREE = 24  # of the series of cosine up to pi: error below 2**-40
MOVED = ("weight", "activation")


def rising_bits(place: int, period: int, least: int, largest: int) -> int:
    """Return the word length at a place of a cycle.

    >>> [rising_bits(i, 8, 4, 8) for i in range(8)]
    [4, 4, 5, 5, 6, 7, 7, 8]
    """
    return round(least + Fraction(largest - least, 2) * (1 - half_cosine(place, period)))


@lru_cache(maxsize=1 << 14)
def half_cosine(place: int, period: int) -> Fraction:
    """Return ``cos(pi * place / period)`` to 40 bits, the same everywhere.

    >>> half_cosine(0, 5), half_cosine(1, 2), half_cosine(3, 3)
    (Fraction(1, 1), Fraction(0, 1), Fraction(-1, 1))
    """
    square = (PI * place / period) ** 2
    total = Fraction(1)
    for n in range(DEGREE, 0, -2):
        total = 1 - total * square / (n * (n - 1))
    return Fraction(round(total * GRID), GRID)


def cyclic_bits(steps: int, *, cycles: int = CYCLES, least: int, largest: int) -> list[int]:
    """Return the word lengths of all steps of a run.

    >>> cyclic_bits(6, cycles=2, least=3, largest=8)
    [3, 4, 7, 3, 4, 7]
    """
    period = max(1, steps // cycles)
    return [rising_bits(step % period, period, least, largest) for step in range(steps)]


def bit_operations(forward: Sequence[int], backward: Sequence[int]) -> Fraction:
    """Return the mean over steps of the bit operations of a triple of MAdds: ``f f`` forward, ``f b`` twice back.

    >>> bit_operations([8], [8])
    Fraction(192, 1)
    """
    return Fraction(sum(f * f + 2 * f * b for f, b in zip(forward, backward, strict=True)), len(forward))


@policies.register("cpt")
@dataclass(frozen=True, kw_only=True)
class Cyclic:
    """CPT.

    Parameters
    ----------
    min_word_bits, max_word_bits : int
        Ends of a cycle; with a range test the least is where the test begins.
    cycles : int
        Cycles of the run, 32 as published.
    range_test : bool
        Whether the run begins with the test; the cycles fill the rest of it.
    test_steps : int
        Steps at each word length of the test.
    test_threshold : float
        Gain in mean training accuracy from one word length to the next at which the test ends.

    Examples
    --------
    >>> policy = Cyclic(min_word_bits=4, max_word_bits=8)
    >>> policy.decide(policy.init(["fc"], {"weight": 8, "error": 8}), "fc", "weight").word_bits
    4
    """

    min_word_bits: int = 3
    max_word_bits: int = 8
    cycles: int = CYCLES
    range_test: bool = False
    test_steps: int = 40
    test_threshold: float = 0.05

    def __post_init__(self) -> None:
        if not 2 <= self.min_word_bits <= self.max_word_bits <= 32 or self.cycles < 1 or self.test_steps < 1:
            raise UserError(
                f"{self.cycles} cycles from {self.min_word_bits} to {self.max_word_bits} bits",
                where="policy cpt",
                expected="2 <= min_word_bits <= max_word_bits <= 32, and at least one cycle and one step of a test",
            )

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Begin with the least word length."""
        test = {"bits": self.min_word_bits, "seen": [], "before": None} if self.range_test else None
        first = self.min_word_bits
        return {"fixed": dict(word_bits), "bits": first, "least": first, "start": 0, "steps": 0, "test": test} | {
            "work": dict.fromkeys(layers, 0),
            "log": [],
        }

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want the loss while the range test lasts, and the beginning of the steps that change the bits."""
        if state["test"] is not None:
            return moment is Moment.LOSS
        return moment is Moment.BEGIN and (not state["steps"] or self._bits(state, step) != state["bits"])

    def update(self, state: State, statistics: Statistics) -> State:
        """Go on with the range test, or take the word length of the step."""
        if statistics.moment is Moment.LOSS:
            return self._test(state, statistics)
        state = {**state, "steps": statistics.steps - state["start"], "log": []}
        bits = self._bits(state, statistics.step)
        work = state["work"]
        for layer in work:
            work = spent({"work": work}, layer, 1)
        return {**state, "bits": bits, "work": work, "log": [["", "", "cycle", bits]]}

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the word length of the cycle for weights and activations, their own for the others."""
        if stream.partition("@")[0] not in MOVED:
            return Decision(word_bits=state["fixed"][stream])
        return Decision(word_bits=state["bits"])

    def _bits(self, state: State, step: int) -> int:
        period = max(1, state["steps"] // self.cycles)
        return rising_bits((step - state["start"]) % period, period, state["least"], self.max_word_bits)

    def _test(self, state: State, statistics: Statistics) -> State:
        assert statistics.correct is not None
        test = dict(state["test"])
        seen = [*test["seen"], statistics.correct]
        if len(seen) < self.test_steps:
            return {**state, "test": test | {"seen": seen}, "log": []}
        now = sum(seen, Fraction(0)) / len(seen)
        gain = now - test["before"] if test["before"] is not None else Fraction(0)
        log = [["", "", "range test accuracy", now]]
        found = gain > Fraction(str(self.test_threshold)) or test["bits"] == self.max_word_bits
        if found:
            least, start = test["bits"], statistics.step + 1
            log.append(["", "", "least word length", least])
            return {**state, "least": least, "start": start, "steps": 0, "test": None, "bits": least, "log": log}
        wider = test["bits"] + 1
        return {**state, "test": {"bits": wider, "seen": [], "before": now}, "bits": wider, "log": log}
