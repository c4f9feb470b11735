"""Random words inside kernels: exactly those of :class:`fxpsim.numerics.RandomBits`.

:func:`random_word` is straight-line integer arithmetic, the same text in plain Python and inside a kernel;
:func:`fill_words` is the fast way to get a run of words.
"""

import numpy as np

from fxpsim.kernels.jit import kernel

M32 = 0xFFFFFFFF
PARITY = 0x1BD11BDA
LANES = 1024  # consecutive words from the same half of consecutive blocks; see fxpsim.numerics.threefry
GROUP = 2 * LANES


def random_word(index, key0, key1):
    """Return word ``index`` (at least 0) of the stream with the key: threefry2x32, 13 rounds, as a whole number."""
    block = ((index >> 11) << 10) | (index & 1023)
    key2 = key0 ^ key1 ^ PARITY
    a = ((block & M32) + key0) & M32
    b = ((block >> 32) + key1) & M32
    a = (a + b) & M32
    b = (((b << 13) | (b >> 19)) & M32) ^ a
    a = (a + b) & M32
    b = (((b << 15) | (b >> 17)) & M32) ^ a
    a = (a + b) & M32
    b = (((b << 26) | (b >> 6)) & M32) ^ a
    a = (a + b) & M32
    b = (((b << 6) | (b >> 26)) & M32) ^ a
    a = (a + key1) & M32
    b = (b + key2 + 1) & M32
    a = (a + b) & M32
    b = (((b << 17) | (b >> 15)) & M32) ^ a
    a = (a + b) & M32
    b = (((b << 29) | (b >> 3)) & M32) ^ a
    a = (a + b) & M32
    b = (((b << 16) | (b >> 16)) & M32) ^ a
    a = (a + b) & M32
    b = (((b << 24) | (b >> 8)) & M32) ^ a
    a = (a + key2) & M32
    b = (b + key0 + 2) & M32
    a = (a + b) & M32
    b = (((b << 13) | (b >> 19)) & M32) ^ a
    a = (a + b) & M32
    b = (((b << 15) | (b >> 17)) & M32) ^ a
    a = (a + b) & M32
    b = (((b << 26) | (b >> 6)) & M32) ^ a
    a = (a + b) & M32
    b = (((b << 6) | (b >> 26)) & M32) ^ a
    a = (a + key0) & M32
    b = (b + key1 + 3) & M32
    a = (a + b) & M32
    b = (((b << 17) | (b >> 15)) & M32) ^ a
    return b if index & 1024 else a


@kernel
def _rotate(b, left):
    return np.uint32((b << np.uint32(left)) | (b >> np.uint32(32 - left)))


@kernel
def _four_rounds(a, b, turns):
    r0, r1, r2, r3 = turns
    a = np.uint32(a + b)
    b = np.uint32(_rotate(b, r0) ^ a)
    a = np.uint32(a + b)
    b = np.uint32(_rotate(b, r1) ^ a)
    a = np.uint32(a + b)
    b = np.uint32(_rotate(b, r2) ^ a)
    a = np.uint32(a + b)
    b = np.uint32(_rotate(b, r3) ^ a)
    return a, b


@kernel
def fill_words(first, key0, key1, out):
    """Fill ``out`` (uint32, GROUP words) with words ``first`` and following; ``first`` is a multiple of GROUP.

    Both halves of each block are used, in 32-bit lanes.
    """
    even, odd = out[:LANES], out[LANES:GROUP]
    block = np.uint64(first >> 1)
    k0, k1 = np.uint32(key0), np.uint32(key1)
    k2 = np.uint32(k0 ^ k1 ^ np.uint32(PARITY))
    # the low counter word cannot carry within a group: groups start at multiples of LANES
    a0 = np.uint32(np.uint32(block & np.uint64(M32)) + k0)
    b0 = np.uint32(np.uint32(block >> np.uint64(32)) + k1)
    for i in range(even.size):
        a, b = _four_rounds(np.uint32(a0 + np.uint32(i)), b0, (13, 15, 26, 6))
        a, b = _four_rounds(np.uint32(a + k1), np.uint32(b + k2 + np.uint32(1)), (17, 29, 16, 24))
        a, b = _four_rounds(np.uint32(a + k2), np.uint32(b + k0 + np.uint32(2)), (13, 15, 26, 6))
        a, b = np.uint32(a + k0), np.uint32(b + k1 + np.uint32(3))
        a = np.uint32(a + b)
        even[i] = a
        odd[i] = np.uint32(_rotate(b, 17) ^ a)
