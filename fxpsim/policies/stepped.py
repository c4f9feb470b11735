"""Word lengths, or rates, that change at given shares of the run: the simplest schedule (ours).

For methods whose learning rate is in a quantizer: NITI's is the word length of its gradients (5, 4, 3 magnitude bits
over the run), WAGE's the units by which its largest gradient moves a weight (8, 1, 1/8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from fxpsim.errors import UserError
from fxpsim.policies.base import Decision, Moment, State, Statistics, policies, spent


@policies.register("stepped")
@dataclass(frozen=True, kw_only=True)
class Stepped:
    """Streams with a list of word lengths each; the others keep theirs.

    Parameters
    ----------
    shares : sequence of float
        Where each word length begins, as growing shares of the run; the first is 0.
    word_bits : mapping of str to sequence of int
        Stream -> its word lengths, one for each share.
    rates : mapping of str to sequence of float
        Stream -> its quantizer's learning rates, one for each share.

    Examples
    --------
    >>> policy = Stepped(shares=[0, 0.5], word_bits={"gradient": [6, 5]})
    >>> state = policy.init(["fc"], {"weight": 8, "gradient": 8})
    >>> [policy.decide(state, "fc", stream).word_bits for stream in ("weight", "gradient")]
    [8, 6]
    """

    shares: Sequence[float] = (0.0, 0.5, 0.75)
    word_bits: Mapping[str, Sequence[int]] = field(default_factory=lambda: {"gradient": (6, 5, 4)})
    rates: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shares = list(self.shares)
        lengths = {len(values) for values in (*self.word_bits.values(), *self.rates.values())}
        if shares != sorted(shares) or not shares or shares[0] != 0 or lengths - {len(shares)}:
            raise UserError(
                f"shares are {shares}, word_bits {dict(self.word_bits)}, rates {dict(self.rates)}",
                where="policy stepped",
                expected="growing shares from 0, and as many word lengths and rates for every stream",
            )

    def init(self, layers: Sequence[str], word_bits: Mapping[str, int]) -> State:
        """Begin with the first word lengths."""
        return {"fixed": dict(word_bits), "place": 0, "work": dict.fromkeys(layers, 0), "log": []}

    def wants(self, state: State, moment: Moment, layer: str, stream: str, step: int) -> bool:
        """Want the beginning of steps until the last word lengths hold."""
        return moment is Moment.BEGIN and state["place"] < len(self.shares) - 1

    def update(self, state: State, statistics: Statistics) -> State:
        """Go on where the next share begins."""
        place = state["place"]
        work = state["work"]
        for layer in work:
            work = spent({"work": work}, layer, 1)
        if statistics.step < Fraction(str(self.shares[place + 1])) * statistics.steps:
            return {**state, "work": work, "log": []}
        return {**state, "place": place + 1, "work": work, "log": [["", "", "stage", place + 1]]}

    def decide(self, state: State, layer: str, stream: str) -> Decision | None:
        """Return the stream's word length and rate."""
        place, bits, rates = state["place"], self.word_bits.get(stream), self.rates.get(stream)
        word_bits = state["fixed"][stream] if bits is None else bits[place]
        return Decision(word_bits=word_bits, rate=None if rates is None else float(rates[place]))
