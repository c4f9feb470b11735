"""The one place with thread policy: our own workers share the units of a kernel; BLAS gets one thread.

Kernels take ``(begin, end, *args)`` and release the GIL. The work is cut into units by the caller, from shapes
alone, and each unit writes only what it owns; the number of threads therefore never changes a result.
"""

import os
import threading
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from typing import Any

from fxpsim.errors import UserError

Outcome = BaseException | None
Job = tuple[Callable[..., Any], int, int, tuple[Any, ...], "SimpleQueue[Outcome]"]


class _Pool:
    """Persistent daemon workers, each with its own queue (a shared one would wake them all)."""

    def __init__(self) -> None:
        self.size = 0
        self.queues: list[SimpleQueue[Job]] = []
        self.lock = threading.Lock()

    def queue(self, index: int) -> "SimpleQueue[Job]":
        with self.lock:
            while len(self.queues) <= index:
                jobs: SimpleQueue[Job] = SimpleQueue()
                self.queues.append(jobs)
                name = f"fxpsim-worker-{len(self.queues)}"
                threading.Thread(target=_work, args=(jobs,), name=name, daemon=True).start()
            return self.queues[index]


_pool = _Pool()
_inside = threading.local()


def _work(jobs: "SimpleQueue[Job]") -> None:
    _inside.worker = True
    while True:
        kernel, begin, end, args, done = jobs.get()
        try:
            kernel(begin, end, *args)
        except BaseException as error:  # handed to the caller, who raises it
            done.put(error)
        else:
            done.put(None)
        del kernel, args, done  # a waiting worker keeps no array alive


def _after_fork() -> None:
    """Forget the parent's workers: threads do not survive a fork."""
    global _pool
    size, _pool = _pool.size, _Pool()
    _pool.size = size


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _checked(count: object, where: str) -> int:
    try:
        number = int(str(count))
    except ValueError:
        number = 0
    if number < 1:
        raise UserError(f"number of threads is {count!r}", where=where, expected="a whole number of at least 1")
    return number


def threads() -> int:
    """Return how many threads the kernels use: set_threads, else FXPSIM_NUM_THREADS, else the usable cores."""
    if not _pool.size:
        chosen = os.environ.get("FXPSIM_NUM_THREADS")
        _pool.size = _checked(chosen, "FXPSIM_NUM_THREADS") if chosen else usable_cores()
    return _pool.size


def set_threads(count: int) -> None:
    """Choose how many threads the kernels use; results do not depend on it.

    Parameters
    ----------
    count : int
        Number of threads, the calling one included.

    Raises
    ------
    UserError
        If ``count`` is below 1.
    """
    _pool.size = _checked(count, "set_threads")


def parallel_for(kernel: Callable[..., Any], units: int, *args: Any) -> None:
    """Call ``kernel(begin, end, *args)`` on equal shares of ``range(units)``, one per thread.

    Parameters
    ----------
    kernel : callable
        Must release the GIL to gain anything, and write only what its units own.
    units : int
        Number of work units; with one unit (or one thread) the kernel runs in the calling thread.
    *args
        Further arguments of the kernel.

    Raises
    ------
    BaseException
        The first exception of any share, after all shares have ended.
    """
    count = min(threads(), units)
    if count <= 1 or getattr(_inside, "worker", False):
        inline(kernel, units, *args)
        return
    done: SimpleQueue[Outcome] = SimpleQueue()
    for index in range(1, count):
        share = (kernel, units * index // count, units * (index + 1) // count, args, done)
        _pool.queue(index - 1).put(share)
    failure: Outcome = None
    try:
        kernel(0, units // count, *args)
    except BaseException as error:  # raised below, once nobody writes to the arrays any more
        failure = error
    for _ in range(1, count):
        failure = done.get() or failure
    if failure is not None:
        raise failure


def inline(kernel: Callable[..., Any], units: int, *args: Any) -> None:
    """Do what :func:`parallel_for` does in the calling thread alone, for work not worth handing over."""
    if units > 0:
        kernel(0, units, *args)


@cache
def _blas_controller() -> Any:
    import numpy  # noqa: F401  # loads its BLAS, which the controller then finds
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def single_threaded_blas() -> Any:
    """Return a context in which BLAS uses one thread.

    A multi-threaded BLAS chooses its summation order by its number of threads, and its spinning workers take the
    cores away from ours.
    """
    return _blas_controller().limit(limits=1)
