"""Large arrays whose memory is used again.

A training step allocates the same large temporaries over and over. Fresh pages cost more than the work done on them:
the system must clear and map each one. :func:`empty` takes memory that an earlier array has given up; it comes back
when the last view of the array is gone.
"""

from __future__ import annotations

import ctypes
import math
import threading
from functools import cache
from typing import Any

import numpy as np

ALIGNMENT = 64  # a cache line, and the widest vector
SMALLEST = 1 << 17  # below this the allocator of the C library does the same
MOST_IDLE_BYTES = 1 << 30


Piece = tuple[np.ndarray, int]  # memory, and the first aligned address in it


class _Pool:
    """Idle memory by size."""

    def __init__(self) -> None:
        self.idle: dict[int, list[Piece]] = {}
        self.idle_bytes = 0
        # the last reference to an array may die inside another call of the pool, in this very thread
        self.lock = threading.RLock()

    def take(self, size: int) -> Piece:
        with self.lock:
            waiting = self.idle.get(size)
            if waiting:
                self.idle_bytes -= size
                return waiting.pop()
        memory = np.empty(size + ALIGNMENT, np.uint8)
        return memory, -(-memory.ctypes.data // ALIGNMENT) * ALIGNMENT

    def give_back(self, size: int, piece: Piece) -> None:
        with self.lock:
            if self.idle_bytes + size <= MOST_IDLE_BYTES:
                self.idle.setdefault(size, []).append(piece)
                self.idle_bytes += size


_pool = _Pool()


@cache
def _block(size: int) -> Any:
    """Return the type of the owners of ``size`` bytes; arrays over one keep it alive.

    An array over a buffer of ctypes takes a tenth of the time of one over an ``__array_interface__``.
    """

    class Block(ctypes.c_ubyte * size):
        piece: Piece

        def __del__(self, pool: _Pool = _pool) -> None:  # bound now: globals are gone when the interpreter ends
            pool.give_back(size, self.piece)

    return Block


def empty(shape: int | tuple[int, ...], dtype: Any, *, smallest: int = SMALLEST) -> np.ndarray:
    """Return an array with undefined content, like ``numpy.empty``.

    Those of at least ``smallest`` bytes start at a multiple of 64 bytes, in memory that is used again.

    Examples
    --------
    >>> first = empty(100_000, np.int32)
    >>> place = first.ctypes.data
    >>> del first
    >>> empty((100, 1000), np.int32).ctypes.data == place
    True
    """
    kind = np.dtype(dtype)
    count = shape if isinstance(shape, int) else math.prod(shape)
    size = count * kind.itemsize
    if size < smallest:
        return np.empty(shape, kind)
    # an eighth of the size is the grain, so that nearly equal arrays share memory
    grain = max(ALIGNMENT, 1 << max(0, size.bit_length() - 4))
    size = max(1, -(-size // grain)) * grain
    piece = _pool.take(size)
    block = _block(size).from_address(piece[1])
    block.piece = piece
    return np.ndarray(shape, kind, block)


def idle_bytes() -> int:
    """Return how much memory waits to be used again."""
    return _pool.idle_bytes


def release() -> None:
    """Give all idle memory back to the system."""
    with _pool.lock:
        _pool.idle.clear()
        _pool.idle_bytes = 0
