"""Large arrays whose memory is used again.

A training step allocates the same large temporaries over and over. Fresh pages cost more than the work done on them:
the system must clear and map each one. :func:`empty` takes memory that an earlier array has given up; it comes back
when the last view of the array is gone.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

ALIGNMENT = 64  # a cache line, and the widest vector
SMALLEST = 1 << 17  # below this the allocator of the C library does the same
MOST_IDLE_BYTES = 1 << 30


class _Pool:
    """Idle memory by size."""

    def __init__(self) -> None:
        self.idle: dict[int, list[np.ndarray]] = {}
        self.idle_bytes = 0
        # the last reference to an array may die inside another call of the pool, in this very thread
        self.lock = threading.RLock()

    def take(self, size: int) -> np.ndarray:
        with self.lock:
            waiting = self.idle.get(size)
            if waiting:
                self.idle_bytes -= size
                return waiting.pop()
        return np.empty(size, np.uint8)

    def give_back(self, memory: np.ndarray) -> None:
        with self.lock:
            if self.idle_bytes + memory.size <= MOST_IDLE_BYTES:
                self.idle.setdefault(memory.size, []).append(memory)
                self.idle_bytes += memory.size


_pool = _Pool()


class _Block:
    """Owner of a piece of memory; arrays over it keep it alive."""

    __slots__ = ("__array_interface__", "memory")

    def __init__(self, memory: np.ndarray) -> None:
        start = -memory.ctypes.data % ALIGNMENT
        size = memory.size - ALIGNMENT
        self.memory = memory
        self.__array_interface__: dict[str, Any] = {
            "data": (memory.ctypes.data + start, False),
            "shape": (size,),
            "typestr": "|u1",
            "version": 3,
        }

    def __del__(self, pool: _Pool = _pool) -> None:  # bound now: globals are gone when the interpreter ends
        pool.give_back(self.memory)


def empty(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an array with undefined content, like ``numpy.empty``; large ones start at a multiple of 64 bytes.

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
    if size < SMALLEST:
        return np.empty(shape, kind)
    # an eighth of the size is the grain, so that nearly equal arrays share memory
    grain = 1 << (size.bit_length() - 4)
    block = _Block(_pool.take(-(-size // grain) * grain + ALIGNMENT))
    return np.asarray(block)[:size].view(kind).reshape(shape)


def idle_bytes() -> int:
    """Return how much memory waits to be used again."""
    return _pool.idle_bytes


def release() -> None:
    """Give all idle memory back to the system."""
    with _pool.lock:
        _pool.idle.clear()
        _pool.idle_bytes = 0
