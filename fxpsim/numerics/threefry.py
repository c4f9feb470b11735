"""Threefry-2x32, the counter-based generator, in NumPy: the specification of every random word.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 4.2.
Thirteen rounds are the fewest that pass BigCrush (table 2 there).
"""

from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

ROUNDS = 13
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA
MASK = 0xFFFFFFFF

# Word i of a stream comes from block ((i >> 11) << 10) | (i & 1023), half (i >> 10) & 1: both halves of every block
# are used, and 1024 consecutive elements read the same half of consecutive blocks, which is what vectorizes.
LANE_LOG2 = 10
LANES = 1 << LANE_LOG2

U32 = NDArray[np.uint32]


@overload
def threefry2x32(counter0: int, counter1: int, key0: int, key1: int, rounds: int = ...) -> tuple[int, int]: ...
@overload
def threefry2x32(counter0: U32, counter1: U32, key0: int, key1: int, rounds: int = ...) -> tuple[U32, U32]: ...
def threefry2x32(counter0: Any, counter1: Any, key0: int, key1: int, rounds: int = ROUNDS) -> tuple[Any, Any]:
    """Return the two words of each block ``(counter0, counter1)`` under the key ``(key0, key1)``.

    Counters are whole numbers, or arrays of uint32.

    Examples
    --------
    The known answer of the reference implementation for zero counter and key, 20 rounds:

    >>> [hex(word) for word in threefry2x32(0, 0, 0, 0, rounds=20)]
    ['0x6b200159', '0x99ba4efe']
    """
    keys = (key0, key1, key0 ^ key1 ^ PARITY)
    a, b = (counter0 + key0) & MASK, (counter1 + key1) & MASK
    for step in range(rounds):
        turn = ROTATIONS[step % 8]
        a = (a + b) & MASK
        b = (((b << turn) | (b >> (32 - turn))) & MASK) ^ a
        if step % 4 == 3:
            injection = step // 4 + 1
            a = (a + keys[injection % 3]) & MASK
            b = (b + ((keys[(injection + 1) % 3] + injection) & MASK)) & MASK
    return a, b


def stream_words(indices: NDArray[np.int64], key0: int, key1: int) -> U32:
    """Return the random words at ``indices`` of the stream with key ``(key0, key1)``."""
    block = ((indices >> (LANE_LOG2 + 1)) << LANE_LOG2) | (indices & (LANES - 1))
    low = (block & 0xFFFFFFFF).astype(np.uint32)
    high = (block >> 32).astype(np.uint32)
    first, second = threefry2x32(low, high, key0, key1)
    return np.where((indices >> LANE_LOG2) & 1, second, first).astype(np.uint32)
