"""Counter-based random words for order and augmentation.

A word depends only on (seed, purpose, epoch, position), so any batch of any epoch can be made without those before it,
by any thread. Philox's raw words are part of NumPy's compatibility promise; its derived distributions are not, so only
raw words are used.

Source: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox4x64-10).
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What random words are for: each purpose has its own key, so that no two uses share words."""

    ORDER = 1
    AUGMENT = 2


def words(*, seed: int, purpose: Purpose, epoch: int, size: int) -> np.ndarray:
    """Return ``size`` random uint64 words of one purpose and epoch.

    >>> words(seed=1, purpose=Purpose.ORDER, epoch=0, size=2).dtype
    dtype('uint64')
    """
    # the generator counts up in counter word 0, so an epoch in word 1 starts a stretch of its own
    generator = np.random.Philox(key=[seed % 2**64, int(purpose)], counter=[0, epoch, 0, 0])
    return generator.random_raw(size)


def epoch_order(size: int, *, seed: int, epoch: int) -> np.ndarray:
    """Return the order in which an epoch visits ``size`` samples: a permutation, from sorted random words.

    >>> sorted(epoch_order(5, seed=1, epoch=0).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.argsort(words(seed=seed, purpose=Purpose.ORDER, epoch=epoch, size=size), kind="stable")
