"""Random bits for stochastic rounding: counter-based, so that the order of evaluation does not matter."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fxpsim.errors import UserError
from fxpsim.numerics import threefry

WORD_BITS = 32
_MASK64 = (1 << 64) - 1


def check_bits(bits: int, where: str) -> None:
    """Refuse a width of random numbers that no generator here has."""
    if not 1 <= bits <= WORD_BITS:
        raise UserError(
            f"bits is {bits}", where=where, expected="1 to 32 random bits per rounding", remedy="leave bits out for 32"
        )


@dataclass(frozen=True, kw_only=True)
class RandomBits:
    """A stream of random words, element ``i`` a function of ``(seed, stream, i)`` alone.

    Threefry-2x32 with 13 rounds in counter mode (:mod:`fxpsim.numerics.threefry`). The result of a stochastic
    rounding therefore does not depend on the number of threads, on chunking or on what was rounded before.

    Parameters
    ----------
    seed : int
        Any whole number; its low 64 bits count.
    stream : int
        Number of the stream under this seed, low 64 bits. :meth:`derive` makes streams from names.
    bits : int
        Random bits per rounding, 1 to 32. Hardware uses few; the others of a word are zero, so that the
        probability of rounding up is the fraction truncated to ``bits`` bits. The bias is then at most
        ``2**-bits`` units in the last place, toward minus infinity, and none if at most ``bits`` bits are dropped.

    Examples
    --------
    >>> random = RandomBits(seed=1)
    >>> bool((random.words(4) == random.words(2, start=2)[[0, 1, 0, 1]]).all())
    False
    >>> bool((random.words(4)[2:] == random.words(2, start=2)).all())
    True
    >>> random.derive("weights", 3) == random.derive("weights", 3) != random.derive("weights", 4)
    True
    """

    seed: int = 0
    stream: int = 0
    bits: int = WORD_BITS

    def __post_init__(self) -> None:
        check_bits(self.bits, "RandomBits")

    @property
    def key(self) -> tuple[int, int]:
        """The two 32-bit halves of the generator's key: stream number encrypted under the seed."""
        seed, stream = self.seed & _MASK64, self.stream & _MASK64
        return threefry.threefry2x32(stream & 0xFFFFFFFF, stream >> 32, seed & 0xFFFFFFFF, seed >> 32, rounds=20)

    @property
    def mask(self) -> int:
        """Which bits of a word count: the leading ``bits`` ones."""
        return (0xFFFFFFFF << (WORD_BITS - self.bits)) & 0xFFFFFFFF

    def words(self, count: int, *, start: int = 0) -> NDArray[np.uint32]:
        """Return words ``start`` to ``start + count`` of the stream; only the leading ``bits`` bits are random."""
        indices = np.arange(start, start + count, dtype=np.int64)
        return threefry.stream_words(indices, *self.key) & np.uint32(self.mask)

    def derive(self, *labels: str | int) -> "RandomBits":
        """Return the stream that belongs to ``labels`` (such as purpose, layer, step) under this one.

        The labels are hashed with BLAKE2b; ``1`` and ``"1"`` differ, and so do ``("a", "b")`` and ``("ab",)``.
        """
        if len(labels) == 0:
            return self
        text = repr((self.stream & _MASK64, *(x if isinstance(x, str) else int(x) for x in labels)))
        digest = hashlib.blake2b(text.encode(), digest_size=8, person=b"fxpsim-stream").digest()
        return RandomBits(seed=self.seed, stream=int.from_bytes(digest, "little"), bits=self.bits)
