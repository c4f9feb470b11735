"""How kernels are compiled: once, into machine code of their own, and the collector is left as it was."""

import gc

import numpy as np
import pytest
from numba.core.codegen import JITCodeLibrary
from numba.core.errors import TypingError

from fxpsim.kernels import compiling, threads
from fxpsim.kernels.handover import entry
from fxpsim.kernels.jit import compile_source, kernel


@kernel
def digits(x):
    """A helper that LLVM does not inline: it calls itself."""
    return 1 if x < 10 else 1 + digits(x // 10)


@kernel
def count_digits(begin, end, numbers, out):
    for i in range(begin, end):
        out[i] = digits(numbers[i])


def fresh(source, name="fresh"):
    """A kernel that neither this process nor the disk has."""
    dispatcher = compile_source(name, source, {"np": np})
    dispatcher._cache.disable()
    entry(dispatcher)._cache.disable()
    return dispatcher


def test_an_entry_contains_all_it_calls():
    count_digits._cache.disable()
    entry(count_digits)._cache.disable()
    numbers = np.array([7, 1234, 10**15])
    out = np.zeros(3, np.int64)
    threads.inline(count_digits, 3, numbers, out)
    assert out.tolist() == [1, 4, 16]
    (compiled,) = entry(count_digits).overloads.values()
    functions = list(compiled.library.get_defined_functions())
    assert any("digits" in f.name and "count_digits" not in f.name for f in functions), "the helper is there"
    linkages = {f.name: f.linkage.name for f in functions}
    shared = {name for name, linkage in linkages.items() if linkage not in ("external", "internal", "private")}
    assert not shared, "the linker may take another copy of these"


def test_a_kernel_becomes_machine_code_once(monkeypatch):
    made = []
    emit = JITCodeLibrary._finalize_specific
    monkeypatch.setattr(JITCodeLibrary, "_finalize_specific", lambda self: (made.append(self.name), emit(self)))
    add = fresh("def fresh(begin, end, x):\n    for i in range(begin, end):\n        x[i] += 5\n")
    x = np.arange(3)
    threads.inline(add, 3, x)
    assert x.tolist() == [5, 6, 7]
    assert len(made) == 1, made
    assert made[0].startswith("entry.")


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_rests_while_a_kernel_is_compiled_and_not_longer(on, monkeypatch):
    seen = []
    monkeypatch.setattr(compiling, "_roomy", lambda f, a: (seen.append(gc.isenabled()), f(a))[1])
    was_on = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        assert fresh(f"def fresh(x):\n    return x * 3 + {int(on)}\n")(2) == 6 + on
        assert gc.isenabled() is on
        with pytest.raises(TypingError):
            fresh(f"def fresh(x):\n    return x.no_such_{on}\n")(2)
        assert gc.isenabled() is on
    finally:
        (gc.enable if was_on else gc.disable)()
    assert seen
    assert not any(seen)


def test_no_piece_of_the_stack_is_taken_and_given_back_in_a_loop():
    resource = pytest.importorskip("resource", reason="counts page faults")

    def faults(depth: int) -> int:
        """Page faults of many calls at some depth of the stack; each new piece has at least one."""
        if depth:
            return faults(depth - 1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(2000):
            leaf()
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    def leaf(a=0, b=0, c=0, d=0, e=0, f=0):
        return a + b + c + d + e + f

    assert max(compiling._roomy(faults, depth) for depth in range(200)) < 1000
