"""The ``kernel`` decorator and the compilation of generated sources."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from fxpsim.kernels.compiling import compiled_lazily
from fxpsim.kernels.disk_cache import DiskCache, cache_directory, write_atomically


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function on first call, without the GIL, with IEEE division and our own disk cache.

    Nothing is compiled at decoration. ``fastmath`` is never used: every operation means what IEEE 754 says.

    Examples
    --------
    >>> @kernel
    ... def twice(x):
    ...     return x + x
    >>> twice(21)
    42
    """
    dispatcher: Any = compiled_lazily(function)
    dispatcher._cache = DiskCache(function)
    return dispatcher


def compile_source(name: str, source: str, namespace: Mapping[str, Any]) -> Any:
    r"""Turn generated source into a kernel.

    The source is kept as a readable file in the cache directory, named after its content; a second process loads the
    compiled code from disk.

    Parameters
    ----------
    name : str
        Name of the function that ``source`` defines.
    source : str
        Python source of the function. Together with the sources under ``fxpsim/kernels`` it must determine the
        code: whatever ``namespace`` holds has to be defined there.
    namespace : mapping
        Global names that the source uses.

    Returns
    -------
    dispatcher
        The kernel, compiled on first call for each combination of argument types.

    Examples
    --------
    >>> add = compile_source("add_one", "def add_one(x):\n    return x + one\n", {"one": 1})
    >>> add(41)
    42
    """
    folder = cache_directory() / "generated"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(source.encode()).hexdigest()[:16]}.py"
    if not path.exists():
        write_atomically(path, source.encode())
    scope = {"__name__": __name__, **namespace}
    exec(compile(source, str(path), "exec"), scope)
    # Numba makes the symbol out of this name, and the symbols of two programs must differ
    scope[name].__qualname__ = path.stem.replace("-", "_")
    return kernel(scope[name])
