"""The kernel decorator and its disk cache."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from fxpsim.kernels import disk_cache
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


def test_programs_of_one_name_get_symbols_of_their_own():
    two, three = (compile_source("times", f"def times(x):\n    return x * {k}\n", {}) for k in (2, 3))
    assert (two(7), three(7)) == (14, 21)
    symbols = {next(iter(f.overloads.values())).fndesc.mangled_name.partition("B")[0] for f in (two, three)}
    assert len(symbols) == 2
