"""The kernel decorator, its disk cache and the worker threads."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.kernels import disk_cache, threads
from fxpsim.kernels.jit import compile_source, kernel

SCRIPT = """
import json, numba, sys
from fxpsim.kernels import disk_cache
from fxpsim.kernels.jit import compile_source, kernel
f = compile_source("scaled", "def scaled(x):\\n    return x * factor\\n", {"factor": 3})
value = f(7)
last = disk_cache.COMPILED[-1]
print(json.dumps([value, last.from_disk, str(last.source), numba.config.CACHE_DIR]))
"""


def run(folder: Path, **environment: str) -> list:
    import json

    env = {**os.environ, "FXPSIM_CACHE_DIR": str(folder), **environment}
    out = subprocess.run([sys.executable, "-c", SCRIPT], env=env, check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    first, second = run(tmp_path), run(tmp_path)
    assert first[:2] == [21, False]
    assert second[:2] == [21, True]
    assert Path(second[2]).read_text().startswith("def scaled")
    assert not second[3], "Numba's own configuration is left alone"


def test_another_processor_does_not_get_our_code(tmp_path):
    run(tmp_path)
    assert run(tmp_path, NUMBA_CPU_NAME="generic")[:2] == [21, False]


def test_an_unwritable_directory_costs_time_only(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert run(blocked)[:2] == [21, False]


def test_a_changed_source_means_another_directory(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    before = disk_cache.sources_digest(tmp_path)
    assert disk_cache.sources_digest(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2\n")
    changed = disk_cache.sources_digest(tmp_path)
    (tmp_path / "b.py").write_text("")
    assert len({before, changed, disk_cache.sources_digest(tmp_path)}) == 3


def test_a_changed_kernel_outside_the_package_is_not_taken_for_the_old_one(tmp_path):
    def answer(constant: int) -> int:
        path = tmp_path / "module.py"
        path.write_text(f"def f(x):\n    return x + {constant}\n")
        scope: dict = {"__name__": "module"}
        exec(compile(path.read_text(), str(path), "exec"), scope)
        disk_cache._content.cache_clear()  # as a new process would
        return kernel(scope["f"])(1)

    assert answer(1000) == 1001
    assert answer(2000) == 2001


def test_directories_of_other_versions_go_after_a_month_without_use(tmp_path):
    old, recent, foreign = (tmp_path / name for name in ("0.0.1-0123456789abcdef", "0.0.2-0123456789abcdef", "mine"))
    for directory in (old, recent, foreign):
        directory.mkdir()
    for directory in (old, foreign):
        os.utime(directory, (0, 0))
    disk_cache._remove_unused(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [recent.name, foreign.name]


def test_division_follows_ieee():
    divide = compile_source("divide", "def divide(x, y):\n    return x / y\n", {})
    assert divide(1.0, 0.0) == np.inf


@pytest.fixture
def four_threads():
    before = threads.threads()
    threads.set_threads(4)
    yield
    threads.set_threads(before)


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize("units", [0, 1, 2, 3, 4, 5, 1000])
def test_every_unit_is_executed_once(units):
    seen = np.zeros(units, np.int64)
    names = set()

    def count(begin, end, array):
        array[begin:end] += 1
        names.add(threading.current_thread().name)

    threads.parallel_for(count, units, seen)
    assert (seen == 1).all()
    assert len(names) == min(units, 4)


@pytest.mark.usefixtures("four_threads")
def test_the_first_error_arrives_after_all_shares_have_ended():
    ended = []

    def fail(begin, end):
        if begin == 0:
            raise RuntimeError("share 0")
        ended.append(begin)

    with pytest.raises(RuntimeError, match="share 0"):
        threads.parallel_for(fail, 8)
    assert sorted(ended) == [2, 4, 6]


@pytest.mark.usefixtures("four_threads")
def test_nested_calls_end():
    total = np.zeros(8, np.int64)

    def inner(begin, end, array, unit):
        array[unit] += end - begin

    def outer(begin, end, array):
        for unit in range(begin, end):
            threads.parallel_for(inner, 1, array, unit)

    threads.parallel_for(outer, 8, total)
    assert total.tolist() == [1] * 8


@pytest.mark.usefixtures("four_threads")
def test_a_worker_hands_nothing_on():
    workers = []

    def inner(begin, end):
        workers.append(threading.current_thread().name)

    def outer(begin, end):
        if begin:
            threads.parallel_for(inner, 4)

    threads.parallel_for(outer, 2)
    assert len(workers) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.usefixtures("four_threads")
def test_a_forked_child_starts_its_own_workers():
    threads.parallel_for(lambda begin, end: None, 4)
    child = os.fork()
    if child == 0:
        done = np.zeros(4)
        threads.parallel_for(lambda begin, end: done[begin:end].fill(1), 4)
        os._exit(0 if done.all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_thread_counts_are_checked(monkeypatch):
    with pytest.raises(UserError, match="number of threads is 0"):
        threads.set_threads(0)
    monkeypatch.setattr(threads._pool, "size", 0)
    monkeypatch.setenv("FXPSIM_NUM_THREADS", "many")
    with pytest.raises(UserError, match="FXPSIM_NUM_THREADS"):
        threads.threads()


def test_blas_gets_one_thread_while_we_use_it():
    from threadpoolctl import threadpool_info

    with threads.single_threaded_blas():
        pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert set(pools) <= {1}
