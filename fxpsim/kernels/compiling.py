"""How Numba compiles a kernel for us: into machine code that refers to no other kernel's, and without detours.

*One copy.* Numba links a function that a kernel calls into the kernel's code as one that may be there many times, and
the process that compiles has compiled it by itself before: it would run that copy, a process that loads the kernel from
disk the kernel's own. Both mean the same, but they are not the same machine code. Here everything that is linked in
belongs to the kernel alone.

*No detours.* Typing and lowering make millions of short-lived objects in cycles that stay alive as long as the
compilation; looking for garbage among them took a seventh of its time. And Python keeps its frames in pieces of 16 KiB:
a call in a loop that happens to cross the border of a piece gets one from the system and gives it back each time, which
took another seventh. Compilation runs with the collector off, on a piece of its own that is large enough.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba import njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

# words on Python's stack of frames; the piece for them is a power of two and above this one: as much is left
_ROOM = 1 << 16


class SelfContained(JITCodeLibrary):
    """A code library whose linked functions are its own."""

    def _optimize_final_module(self) -> None:
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage.name.startswith(("linkonce", "weak")):
                function.linkage = "internal"
        super()._optimize_final_module()


class KernelCompiler(Compiler):
    """Numba's compiler with our library, without garbage collection and with room for its frames."""

    def compile_extra(self, func: Any) -> Any:
        """Compile a Python function."""
        if self.state.library is None:
            self.state.library = SelfContained(self.state.targetctx.codegen(), func.__qualname__)
            self.state.library.enable_object_caching()
        with _without_collection():
            return _roomy(super().compile_extra, func)


def compiled_lazily(function: Callable[..., Any]) -> Any:
    """Return the dispatcher of a function: compiled on first call, without the GIL and with IEEE division."""
    # nobody takes the address of a kernel: no third function that calls it
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    return njit(pipeline_class=KernelCompiler, **options)(function)


@contextmanager
def _without_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _roomy(function: Callable[[Any], Any], argument: Any) -> Any:
    """Call a function from a frame that claims to need so much stack that Python takes a large piece for it."""
    return function(argument)


_roomy.__code__ = _roomy.__code__.replace(co_stacksize=_ROOM)
