"""The one place with thread policy: our own workers share the units of a kernel; BLAS gets one thread.

Kernels take ``(begin, end, *args)`` and release the GIL. The work is cut into units by the caller, from shapes
alone, and each unit writes only what it owns; the number of threads therefore never changes a result.
"""

import atexit
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from fxpsim.errors import UserError
from fxpsim.kernels.crew import Crew
from fxpsim.kernels.handover import box_words, entry, preparation


class _State:
    """How many threads to use, and the crew once one is needed."""

    def __init__(self) -> None:
        self.size = 0
        self.crew: Crew | None = None
        self.most = 1 << 30 if os.name == "posix" else 1  # a crew sleeps and yields by calls of POSIX
        self.lock = threading.Lock()
        self.past: list[Crew] = []  # a thread may just be about to lead with the board of a crew that is gone

    def hired(self, count: int) -> Crew:
        """Return a crew with at least ``count`` members."""
        crew = self.crew
        return self._hire(count) if crew is None or crew.members < count else crew

    def _hire(self, count: int) -> Crew:
        with self.lock:
            if self.crew is None or self.crew.members < count:
                if self.crew is not None:
                    self.crew.stop()
                    self.past.append(self.crew)
                self.crew = Crew(count)
            return self.crew

    def end(self) -> None:
        """Stop the workers: when the interpreter ends, the code that they execute goes."""
        self.most = 1
        with self.lock:
            if self.crew is not None:
                self.crew.stop()

    def after_fork(self) -> None:
        """Forget the parent's workers: threads do not survive a fork."""
        self.lock = threading.Lock()
        if self.crew is not None:
            self.crew.forget()
            self.past.append(self.crew)
            self.crew = None


_state = _State()
atexit.register(_state.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_state.after_fork)


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
    if not _state.size:
        chosen = os.environ.get("FXPSIM_NUM_THREADS")
        _state.size = _checked(chosen, "FXPSIM_NUM_THREADS") if chosen else usable_cores()
    return _state.size


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
    _state.size = _checked(count, "set_threads")


def parallel_for(kernel: Callable[..., Any], units: int, *args: Any) -> None:
    """Call ``kernel(begin, end, *args)`` until all of ``range(units)`` is done, by all threads at once.

    Parameters
    ----------
    kernel : dispatcher
        What :func:`~fxpsim.kernels.jit.kernel` returns. It must write only what its units own. A function that is not
        compiled is called once, in the calling thread.
    units : int
        Number of work units; with one unit (or one thread) the kernel runs in the calling thread.
    *args
        Further arguments of the kernel.

    Raises
    ------
    Exception
        The first error of any unit, after all threads have ended.

    Examples
    --------
    >>> import numpy as np
    >>> from fxpsim.kernels.jit import kernel
    >>> @kernel
    ... def square(begin, end, x):
    ...     for i in range(begin, end):
    ...         x[i] = i * i
    >>> squares = np.empty(5, np.int64)
    >>> parallel_for(square, 5, squares)
    >>> squares.tolist()
    [0, 1, 4, 9, 16]
    """
    count = min(threads(), units, _state.most)
    if count <= 1 or not isinstance(kernel, Dispatcher):
        inline(kernel, units, *args)
    else:
        entry(kernel)(_state.hired(count).board, units, count, *args)


class Job:
    """Work for idle threads, from :func:`later`."""

    __slots__ = ("_arguments", "_box", "_crew", "_kernel", "_process", "_slot", "_units")

    def __init__(self, crew: Crew, kernel: Any, units: int, arguments: tuple[Any, ...]) -> None:
        self._box = np.zeros(box_words(len(arguments)), np.int64)
        self._crew, self._kernel, self._units, self._arguments = crew, kernel, units, arguments
        self._process = os.getpid()
        at = self._box.ctypes.data
        self._slot = crew.offer(preparation(kernel)(at, *arguments), at, units)

    @property
    def is_waiting(self) -> bool:
        """Whether the work has been taken on and :meth:`wait` has not been called."""
        return self._slot is not None

    @property
    def is_done(self) -> bool:
        """Whether :meth:`wait` would return at once."""
        return self._slot is None or (os.getpid() == self._process and self._crew.is_done(self._slot))

    def wait(self) -> None:
        """Take part in the work until it is done.

        Raises
        ------
        RuntimeError
            If the kernel raised an error.
        """
        if self._slot is None:
            return
        slot, self._slot = self._slot, None
        if os.getpid() == self._process:
            self._crew.finish(slot)
        else:  # the workers have stayed in the parent
            inline(self._kernel, self._units, *self._arguments)
        self._arguments = ()
        if self._box[0]:
            raise RuntimeError("a kernel that ran beside others failed")

    def __del__(self) -> None:
        if self._slot is not None and os.getpid() == self._process:
            self._crew.finish(self._slot)  # the arrays must outlive the work


def later(kernel: Callable[..., Any], units: int, *args: Any) -> Job | None:
    """Have idle threads call ``kernel(begin, end, *args)`` on all of ``range(units)``, unit by unit.

    Parameters
    ----------
    kernel, units, *args
        As for :func:`parallel_for`. Nobody may read or write what the kernel writes before the job is done.

    Returns
    -------
    Job or None
        What to wait for; None if all is done already, as with one thread.

    Examples
    --------
    >>> import numpy as np
    >>> from fxpsim.kernels.jit import kernel
    >>> @kernel
    ... def cube(begin, end, x):
    ...     for i in range(begin, end):
    ...         x[i] = i**3
    >>> cubes = np.empty(4, np.int64)
    >>> job = later(cube, 4, cubes)
    >>> if job is not None:
    ...     job.wait()
    >>> cubes.tolist()
    [0, 1, 8, 27]
    """
    count = min(threads(), _state.most)
    if count > 1 and units > 0 and isinstance(kernel, Dispatcher):
        job = Job(_state.hired(count), kernel, units, args)
        if job.is_waiting:
            return job
    parallel_for(kernel, units, *args)
    return None


def inline(kernel: Callable[..., Any], units: int, *args: Any) -> None:
    """Do what :func:`parallel_for` does in the calling thread alone, for work not worth handing over."""
    if units <= 0:
        return
    if isinstance(kernel, Dispatcher):
        entry(kernel)(0, units, 1, *args)
    else:
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
