"""Workers: every unit once, errors, many leaders, sleep, fork, interrupts and the end of the process."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.kernels import threads
from fxpsim.kernels.atomics import fetch_add, load, relax
from fxpsim.kernels.crew import Crew
from fxpsim.kernels.handover import entry
from fxpsim.kernels.jit import kernel


@kernel
def mark(begin, end, seen, places):
    for unit in range(begin, end):
        seen[unit] += 1
        places[unit] = seen.size + places.size


@kernel
def meet(begin, end, address, met):
    """Each of two units waits for the other: only two threads at once get through."""
    for unit in range(begin, end):
        fetch_add(address, 1)
        for _ in range(1_000_000_000):
            if load(address) == 2:
                met[unit] = 1
                break
            relax()


@kernel
def fail(begin, end, seen, bad):
    for unit in range(begin, end):
        if unit == bad:
            raise ValueError("a bad unit")
        seen[unit] += 1


@kernel
def add_rows(begin, end, tables, out):
    for unit in range(begin, end):
        row, more = tables[0][unit].reshape(-1), np.empty(3)
        more[:] = 1
        out[unit] = row.sum() + tables[1][unit, :2].sum() + more.sum()


@pytest.mark.parametrize("units", [0, 1, 2, 3, 7, 1000])
def test_every_unit_is_executed_once(members, units):
    for _ in range(50):
        seen, places = np.zeros(units, np.int8), np.zeros(units, np.int64)
        threads.parallel_for(mark, units, seen, places)
        assert (seen == 1).all()
        assert (places == 2 * units).all()


@pytest.mark.parametrize("patience", [0, 3, 300])
@pytest.mark.parametrize("count", [2, 3])
def test_many_small_jobs_find_their_workers_awake_asleep_or_in_between(patience, count):
    crew = Crew(count, patience=patience)
    run = entry(mark)
    random = np.random.default_rng(0)
    for pause in random.integers(0, 300, 2000).tolist():
        seen, places = np.zeros(16, np.int8), np.zeros(16, np.int64)
        run(crew.board, 16, count, seen, places)
        assert (seen == 1).all()
        for _ in range(pause):
            pass
    crew.stop()


def test_two_threads_work_at_the_same_time():
    before = threads.threads()
    threads.set_threads(2)
    try:
        word, met = np.zeros(1, np.int64), np.zeros(2)
        threads.parallel_for(meet, 2, word.ctypes.data, met)
    finally:
        threads.set_threads(before)
    assert met.all()


@pytest.mark.parametrize("bad", [0, 50, 99])
def test_an_error_arrives_after_the_other_threads_have_ended(members, bad):
    seen = np.zeros(100, np.int8)
    with pytest.raises(ValueError, match="a bad unit"):
        threads.parallel_for(fail, 100, seen, bad)
    assert seen[bad] == 0
    before = seen.copy()
    time.sleep(0.001)
    assert (seen == before).all()
    threads.parallel_for(fail, 100, seen, -1)  # and the crew works on
    assert (seen == before + 1).all()


def test_arrays_are_neither_freed_nor_kept(members):
    tables, out = (np.ones((100, 4)), np.full((100, 3), 2)), np.zeros(100)
    threads.parallel_for(add_rows, 60, tables, out)
    counts = [sys.getrefcount(a) for a in (*tables, out)]
    for _ in range(20):
        threads.parallel_for(add_rows, 60, tables, out)
    assert out[:60].tolist() == [11.0] * 60
    assert counts == [sys.getrefcount(a) for a in (*tables, out)]
    assert all((a == b).all() for a, b in zip(tables, (1, 2), strict=True))


@pytest.mark.parametrize("units", [0, 1, 3, 40])
def test_work_for_later_is_done_once_beside_other_work(members, units):
    for _ in range(20):
        results = [(np.zeros(units, np.int8), np.zeros(units, np.int64)) for _ in range(50)]  # more than are kept
        jobs = [threads.later(mark, units, *result) for result in results]
        beside = np.zeros(64, np.int8), np.zeros(64, np.int64)
        threads.parallel_for(mark, 64, *beside)
        for job in reversed(jobs):
            if job is not None:
                job.wait()
                job.wait()  # the second time it is done
        assert all((seen == 1).all() and (places == 2 * units).all() for seen, places in results)
        assert (beside[0] == 1).all()


def test_idle_workers_take_what_can_wait():
    before = threads.threads()
    threads.set_threads(2)
    try:
        seen, places = np.zeros(64, np.int8), np.zeros(64, np.int64)
        deadline = time.monotonic() + 10
        while not seen.any() and time.monotonic() < deadline:
            threads.parallel_for(mark, 64, np.zeros(64, np.int8), places)  # wakes the worker
            job = threads.later(mark, 64, seen, places)
            time.sleep(0.01)
        assert seen.any()
        assert job is not None
        job.wait()
        assert (seen == 1).all()
    finally:
        threads.set_threads(before)


def test_work_that_nobody_waits_for_is_done_before_its_arrays_go(members):
    seen, places = np.zeros(500, np.int8), np.zeros(500, np.int64)
    threads.later(mark, 500, seen, places)
    assert (seen == 1).all()
    counts = sys.getrefcount(seen), sys.getrefcount(places)
    for _ in range(20):
        threads.later(mark, 500, seen, places)
    assert counts == (sys.getrefcount(seen), sys.getrefcount(places))


def test_work_for_later_says_when_it_is_done(members):
    seen, places = np.zeros(64, np.int64), np.zeros(64, np.int64)
    job = threads.later(mark, 64, seen, places)
    deadline = time.monotonic() + 30
    while job is not None and not job.is_done and time.monotonic() < deadline:
        threads.parallel_for(mark, 64, np.zeros(64, np.int64), places)  # wakes the workers
        time.sleep(0.001)
    assert job is None or job.is_done
    assert seen.tolist() == [1] * 64
    if job is not None:
        job.wait()
        assert job.is_done


def test_an_error_of_work_for_later_arrives_with_its_end(members):
    seen = np.zeros(100, np.int8)
    if members == 1:
        with pytest.raises(ValueError, match="a bad unit"):
            threads.later(fail, 100, seen, 50)
    else:
        job = threads.later(fail, 100, seen, 50)
        assert job is not None
        with pytest.raises(RuntimeError, match="beside others failed"):
            job.wait()
    assert seen[50] == 0
    threads.parallel_for(fail, 100, np.zeros(100, np.int8), -1)  # and the crew works on


def test_leaders_do_not_disturb_each_other():
    before = threads.threads()
    threads.set_threads(3)
    wrong = []

    def lead():
        for _ in range(500):
            seen, places = np.zeros(64, np.int8), np.zeros(64, np.int64)
            threads.parallel_for(mark, 64, seen, places)
            if not ((seen == 1).all() and (places == 128).all()):
                wrong.append(seen)

    leaders = [threading.Thread(target=lead) for _ in range(4)]
    for leader in leaders:
        leader.start()
    for leader in leaders:
        leader.join()
    threads.set_threads(before)
    assert not wrong


def test_a_function_that_is_not_compiled_runs_once(members):
    calls = []
    threads.parallel_for(lambda begin, end, name: calls.append((begin, end, name)), 6, "x")
    assert calls == [(0, 6, "x")]


def test_idle_workers_sleep():
    before = threads.threads()
    threads.set_threads(3)
    seen, places = np.zeros(64, np.int8), np.zeros(64, np.int64)
    threads.parallel_for(mark, 64, seen, places)
    threads.set_threads(before)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:  # on a busy machine they may need a while until they may fall asleep
        begin = time.process_time()
        time.sleep(0.1)
        if time.process_time() - begin < 0.01:
            return
    pytest.fail("the workers are still busy")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_starts_its_own_workers(members):
    def works() -> bool:
        seen, places = np.zeros(64, np.int8), np.zeros(64, np.int64)
        threads.parallel_for(mark, 64, seen, places)
        return bool((seen == 1).all())

    assert works()
    seen, places = np.zeros(64, np.int8), np.zeros(64, np.int64)
    job = threads.later(mark, 64, seen, places)
    child = os.fork()
    if child == 0:
        ok = works()
        if job is not None:
            seen[:] = 0  # some of them may have been marked before the fork
            job.wait()
        os._exit(0 if ok and (seen == 1).all() else 1)
    if job is not None:
        job.wait()
    assert (seen == 1).all()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert works()


SCRIPT = """
import os, signal, sys, threading, time
import numpy as np
from fxpsim.kernels import threads
from fxpsim.kernels.columns import column_moments
threads.set_threads(3)
x = np.ones((512, 64), np.int32)
def work(): return column_moments(x)
work()
"""


@pytest.mark.parametrize(
    "ending",
    [
        "work()",  # workers look for more
        "time.sleep(0.1)",  # workers asleep
        "threading.Thread(target=lambda: [work() for _ in range(100)]).start()",
        "sys.exit(0)",
        "threads.set_threads(5); work()",
    ],
)
def test_the_process_ends(ending):
    subprocess.run([sys.executable, "-c", SCRIPT + ending], check=True, timeout=60)


@pytest.mark.skipif(os.name != "posix", reason="needs a timer")
def test_an_interrupt_arrives_and_leaves_the_crew_at_work():
    interrupted = """
signal.setitimer(signal.ITIMER_REAL, 0.05)
signal.signal(signal.SIGALRM, signal.default_int_handler)
try:
    while True:
        work()
except KeyboardInterrupt:
    work()
    sys.exit(7)
"""
    assert subprocess.run([sys.executable, "-c", SCRIPT + interrupted], check=False, timeout=60).returncode == 7


def test_thread_counts_are_checked(monkeypatch):
    with pytest.raises(UserError, match="number of threads is 0"):
        threads.set_threads(0)
    monkeypatch.setattr(threads._state, "size", 0)
    monkeypatch.setenv("FXPSIM_NUM_THREADS", "many")
    with pytest.raises(UserError, match="FXPSIM_NUM_THREADS"):
        threads.threads()


def test_blas_gets_one_thread_while_we_use_it():
    from threadpoolctl import threadpool_info

    with threads.single_threaded_blas():
        pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert set(pools) <= {1}
