"""Worker threads that take work without Python: one leading thread hands out the units of a kernel, workers join in.

All talk goes through the *board*, a piece of shared memory:

    functions   addresses: lead, and of the C library sched_yield, read, write; patience of an idle worker
    busy        1 while a thread leads; another thread that wants to lead meanwhile works alone
    job         thunk (the kernel's entry), data (its arguments), units per grab, number of members
    high        how many slots may hold a job for later
    slot 0      next unit and end, in one word; units that are not done; thunk, data
    ...
    member 0    next unit and end of its share                          the leading thread
    member 1    next unit and end of its share | mail, pipe             a worker
    ...

The leader gives every member a share, puts ``OFFERED`` into the workers' mail and goes to work. A member grabs units
of its own share, then of the others', until none is left. At the end the leader takes back the offers that no worker
has taken and waits for the workers that took theirs: a worker that the system does not let run costs no time.

A job for later waits in a slot: a worker without mail executes a unit of it and looks for mail again. Whoever wants the
result takes part in what is left (:meth:`Crew.finish`). A unit is claimed by one exchange of the word that holds the
next unit and the end, so that a slot can be used again while a worker still looks at it.

A worker with nothing at all to do looks for mail for a moment, then offers its core to others between two looks, and at
last sleeps on a pipe, into which the leader writes a byte. Which member executes a unit depends on the moment; what a
unit computes does not.
"""

import ctypes
import os
import threading
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numba.core.ccallback import CFunc

from fxpsim.kernels.atomics import call, exchange, fetch_add, load, relax, replace, store
from fxpsim.kernels.compiling import KernelCompiler
from fxpsim.kernels.disk_cache import DiskCache
from fxpsim.kernels.jit import kernel

_LINE = 128  # bytes; two cache lines, since processors fetch them in pairs
# places on the board, in bytes
LEAD, _YIELD, _READ, _WRITE, _PATIENCE = 0, 8, 16, 24, 32
_BUSY = _LINE
_THUNK, _DATA, _GRAB, _COUNT = (2 * _LINE + 8 * i for i in range(4))
_HIGH = 3 * _LINE
_SLOTS, _SLOT_COUNT = 4 * _LINE, 32
_MEMBERS, _MEMBER = _SLOTS + _SLOT_COUNT * _LINE, 2 * _LINE
# places of a slot
_STATE, _OPEN, _LATER_THUNK, _LATER_DATA = (8 * i for i in range(4))
# places of a member
_NEXT, _END = 0, 8
_MAIL, _SLEEP, _WAKE, _BYTE = (_LINE + 8 * i for i in range(4))

_NONE, _OFFERED, _TAKEN, _ASLEEP, _STOP = range(5)

_LOOKS = 200  # with the processor relaxing in between: some microseconds
PATIENCE = 2000  # looks before a worker sleeps; most with the core offered to others in between: a millisecond
_GRABS = 4  # per share: few enough to cost nothing, enough to even out members of different speed


@kernel
def _pause(board, looks):
    """Let a moment pass between two looks, and offer the core to others once there were many; return their number."""
    if looks < _LOOKS:
        relax()
    else:
        call(load(board + _YIELD), 0, 0, 0)
    return looks + 1


@kernel
def _work(board, me, count):
    """Grab units until none is left, first of one's own share."""
    thunk, data, grab = load(board + _THUNK), load(board + _DATA), load(board + _GRAB)
    for k in range(count):
        share = board + _MEMBERS + _MEMBER * ((me + k) % count)
        end = load(share + _END)
        while True:
            begin = fetch_add(share + _NEXT, grab)
            if begin >= end:
                break
            call(thunk, begin, min(begin + grab, end), data)


@kernel
def _claimed(slot):
    """Execute a unit of a job for later; return whether there was one."""
    state = load(slot + _STATE)
    while state & 0xFFFFFFFF < state >> 32:
        if replace(slot + _STATE, state, state + 1):
            unit = state & 0xFFFFFFFF
            call(load(slot + _LATER_THUNK), unit, unit + 1, load(slot + _LATER_DATA))
            fetch_add(slot + _OPEN, -1)
            return True
        state = load(slot + _STATE)
    return False


@kernel
def _find_later(board):
    """Execute a unit of the first job for later that has any; return whether there was one."""
    i = 0
    while i < load(board + _HIGH):
        if _claimed(board + _SLOTS + _LINE * i):
            return True
        i += 1
    return False


@kernel
def _offer_later(board, i, thunk, data, units):
    """Put a job into a slot."""
    slot = board + _SLOTS + _LINE * i
    store(slot + _LATER_THUNK, thunk)
    store(slot + _LATER_DATA, data)
    store(slot + _OPEN, units)
    store(slot + _STATE, units << 32)
    store(board + _HIGH, max(load(board + _HIGH), i + 1))


@kernel
def _finish_later(board, i):
    """Take part in a job for later until it is done."""
    slot = board + _SLOTS + _LINE * i
    while _claimed(slot):
        pass
    looks = 0
    while load(slot + _OPEN) > 0:
        looks = _pause(board, looks)


def _lead(board, thunk, data, units, count):
    """Have ``thunk(begin, end, data)`` called on all units by this thread and the workers that come; C function."""
    if not replace(board + _BUSY, 0, 1):
        return call(thunk, 0, units, data)
    store(board + _THUNK, thunk)
    store(board + _DATA, data)
    store(board + _GRAB, max(1, units // (count * _GRABS)))
    store(board + _COUNT, count)
    for i in range(count):
        share = board + _MEMBERS + _MEMBER * i
        store(share + _NEXT, units * i // count)
        store(share + _END, units * (i + 1) // count)
    for i in range(1, count):
        member = board + _MEMBERS + _MEMBER * i
        if exchange(member + _MAIL, _OFFERED) == _ASLEEP:
            call(load(board + _WRITE), load(member + _WAKE), member + _BYTE, 1)
    _work(board, 0, count)
    for i in range(1, count):
        mail = board + _MEMBERS + _MEMBER * i + _MAIL
        if not replace(mail, _OFFERED, _NONE):
            _await_end(board, mail)
    store(board + _BUSY, 0)
    return 0


@kernel
def _await_end(board, mail):
    """Wait until a worker has done its job (it may be asleep again when we look)."""
    looks = 0
    while load(mail) == _TAKEN:
        looks = _pause(board, looks)


@kernel
def _serve(board, me):
    """Do what a worker does until it is stopped."""
    member = board + _MEMBERS + _MEMBER * me
    mail = member + _MAIL
    patience = load(board + _PATIENCE)
    looks = 0
    while True:
        word = load(mail)
        if word == _OFFERED and replace(mail, _OFFERED, _TAKEN):
            _work(board, me, load(board + _COUNT))
            store(mail, _NONE)
            looks = 0
            continue
        if word == _STOP:
            return
        if word == _NONE and _find_later(board):
            looks = 0
            continue
        if looks < patience:
            looks = _pause(board, looks)
        else:
            replace(mail, _NONE, _ASLEEP)
            while load(mail) == _ASLEEP:  # a signal ends the reading, too
                call(load(board + _READ), load(member + _SLEEP), member + _BYTE, 1)
            looks = 0


@kernel
def _dismiss(board, count):
    """Stop the workers, after the job in progress; from then on every leader works alone."""
    while not replace(board + _BUSY, 0, 1):
        call(load(board + _YIELD), 0, 0, 0)
    for i in range(1, count):
        member = board + _MEMBERS + _MEMBER * i
        if exchange(member + _MAIL, _STOP) == _ASLEEP:
            call(load(board + _WRITE), load(member + _WAKE), member + _BYTE, 1)


@cache
def _lead_address() -> int:
    word: Any = types.int64
    options = {"nopython": True, "error_model": "numpy"}
    function: Any = CFunc(_lead, ((word,) * 5, word), {}, options, pipeline_class=KernelCompiler)
    function._cache = DiskCache(_lead)
    function.compile()  # or load
    return function.address


class Crew:
    """The leader's board and its workers, which are daemon threads.

    Parameters
    ----------
    members : int
        Number of threads, the leading one included.
    patience : int
        How often an idle worker looks for mail before it sleeps.
    """

    def __init__(self, members: int, *, patience: int = PATIENCE) -> None:
        self.members = members
        size = _MEMBERS + _MEMBER * members
        memory = np.zeros(size + _LINE, np.uint8)
        start = -memory.ctypes.data % _LINE
        self._words = memory[start : start + size].view(np.int64)
        self.board = self._words.ctypes.data
        library = ctypes.CDLL(None)  # of the process itself: the C library is in it
        self._put(LEAD, _lead_address())
        self._put(_PATIENCE, patience)
        for place, name in ((_YIELD, "sched_yield"), (_READ, "read"), (_WRITE, "write")):
            self._put(place, ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0)
        self._free = list(range(_SLOT_COUNT))[::-1]
        self._lock = threading.Lock()
        self._pipes = [os.pipe() for _ in range(1, members)]
        self._workers = []
        for i, (sleep, wake) in enumerate(self._pipes, start=1):
            self._put(_MEMBERS + _MEMBER * i + _SLEEP, sleep)
            self._put(_MEMBERS + _MEMBER * i + _WAKE, wake)
            worker = threading.Thread(target=_serve, args=(self.board, i), name=f"fxpsim-worker-{i}", daemon=True)
            self._workers.append(worker)
            worker.start()

    def _put(self, place: int, word: int) -> None:
        self._words[place // 8] = word

    def offer(self, thunk: int, data: int, units: int) -> int | None:
        """Have ``thunk(begin, end, data)`` called on all units, later; return the slot, None if all are taken.

        What is at ``data`` must stay there until :meth:`finish` has returned.
        """
        with self._lock:
            if not self._free:
                return None
            slot = self._free.pop()
            _offer_later(self.board, slot, thunk, data, units)
            return slot

    def is_done(self, slot: int) -> bool:
        """Return whether nothing is left of the job of a slot."""
        return self._words[(_SLOTS + _LINE * slot + _OPEN) // 8] == 0

    def finish(self, slot: int) -> None:
        """Take part in the job of a slot until it is done, and empty the slot."""
        _finish_later(self.board, slot)
        with self._lock:
            self._free.append(slot)
            self._free.sort(reverse=True)
            if len(self._free) == _SLOT_COUNT:
                self._put(_HIGH, 0)

    def stop(self) -> None:
        """End the workers; a thread that still leads with this board works alone."""
        _dismiss(self.board, self.members)
        for worker in self._workers:
            worker.join()
        self.forget()

    def forget(self) -> None:
        """Close the pipes of workers that are gone (a forked child has none of its parent's threads)."""
        for ends in self._pipes:
            for end in ends:
                os.close(end)
        self._pipes = []
