"""Integers drawn from a seed, the same in every version of NumPy."""

import numpy as np


class Integers:
    """Uniform integers from the raw words of a Philox generator of its own.

    Parameters
    ----------
    seed : int
        The task's seed.
    part : int
        Number of the stream: parts of one task share no words.

    Examples
    --------
    >>> Integers(1, 0).below(2**62, (2,)).tolist() == Integers(1, 0).below(2**62, (2,)).tolist()
    True
    """

    def __init__(self, seed: int, part: int) -> None:
        self._words = np.random.Philox(key=[seed % 2**64, part])

    def below(self, bound: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return integers from 0 to ``bound`` - 1 (the bias of the remainder is below bound / 2**64)."""
        words = np.asarray(self._words.random_raw(int(np.prod(shape, dtype=np.int64))), np.uint64)
        return (words % np.uint64(bound)).astype(np.int64).reshape(shape)
