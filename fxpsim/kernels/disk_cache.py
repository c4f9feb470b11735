"""Where compiled kernels live on disk, and why they cannot be stale.

Numba's own cache keys a function by the bytes of its file; it does not see that another file, from which code was
inlined, has changed. Our directory is named after a hash of *all* kernel sources and of the versions of Numba,
llvmlite and NumPy, so a changed source means an empty directory. Inside it every compiled variant is one file
named after its full key (function, code, argument types, CPU, features): there is no index that two processes could
write at the same time.
"""

import atexit
import contextlib
import hashlib
import os
import pickle
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, _Cache
from numba.core.serialize import dumps

import fxpsim


@dataclass(frozen=True, kw_only=True)
class CompiledKernel:
    """One variant of a kernel that this process compiled or loaded."""

    name: str
    signature: str
    seconds: float
    from_disk: bool
    source: Path


_OURS = re.compile(r"\d[\w.+]*-[0-9a-f]{16}")
_MONTH_S = 30 * 24 * 3600

COMPILED: list[CompiledKernel] = []
"""What this process has compiled or loaded so far, in order (for ``fxpsim doctor``)."""


def sources_digest(folder: Path | None = None) -> str:
    """Hash the kernel sources and the versions of what turns them into machine code."""
    folder = Path(__file__).parent if folder is None else folder
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__} {np.__version__} {sys.version}".encode())
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _user_cache_root() -> Path:
    if chosen := os.environ.get("FXPSIM_CACHE_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "fxpsim"


@cache
def cache_directory() -> Path:
    """Return the directory of this version's compiled kernels; a fresh temporary one where it cannot be written."""
    name = f"{fxpsim.__version__}-{sources_digest()}"
    try:
        directory = _user_cache_root() / name
        created = not directory.is_dir()
        directory.mkdir(parents=True, exist_ok=True)
        os.utime(directory)
        tempfile.TemporaryFile(dir=directory).close()
    except (OSError, RuntimeError):  # RuntimeError: no home directory
        temporary = Path(tempfile.mkdtemp(prefix="fxpsim-"))
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        return temporary
    if created:
        _remove_unused(directory.parent)
    return directory


def _remove_unused(root: Path) -> None:
    """Remove the directories of other versions that nobody has used for a month."""
    for directory in root.iterdir():
        with contextlib.suppress(OSError):  # another process may be removing it, too
            if _OURS.fullmatch(directory.name) and directory.stat().st_mtime < time.time() - _MONTH_S:
                shutil.rmtree(directory, ignore_errors=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that other processes see either whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".tmp", delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)


@cache
def _content(source: Path) -> bytes:
    """Return a file's bytes: a kernel defined outside this folder is not covered by the directory's name."""
    return source.read_bytes() if source.is_file() else b""


class DiskCache(_Cache):
    """Numba's cache protocol over :func:`cache_directory`, one file per compiled variant."""

    def __init__(self, function: Any, role: str = "kernel") -> None:
        self._function = function
        self._role = role  # what the machine code is made for; a kernel and its native entry share a function
        self._source = Path(function.__code__.co_filename)
        self._impl = CompileResultCacheImpl.__new__(CompileResultCacheImpl)  # only its (de)serializing is used
        self._enabled = True
        self._started = 0.0

    @property
    def cache_path(self) -> str:
        """Directory of the files, as Numba's reports show it."""
        return str(cache_directory())

    def _key(self, signature: Any, codegen: Any) -> bytes:
        function = self._function
        code = function.__code__
        cells = tuple(cell.cell_contents for cell in function.__closure__ or ())
        key = (
            self._role,
            function.__module__,
            function.__qualname__,
            code.co_filename,
            code.co_firstlineno,
            repr(signature),
        )
        text = repr((key, codegen.magic_tuple())).encode() + code.co_code + _content(self._source)
        return text + (dumps(cells) if cells else b"")

    def _path(self, signature: Any, codegen: Any) -> Path:
        name = "".join(c if c.isalnum() else "_" for c in self._function.__name__)[-60:]
        return cache_directory() / f"{name}-{hashlib.sha256(self._key(signature, codegen)).hexdigest()[:32]}.bin"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled variant from disk, or None."""
        target_context.refresh()
        self._started = time.perf_counter()
        if not self._enabled:
            return None
        try:
            data = self._path(sig, target_context.codegen()).read_bytes()
        except OSError:
            return None
        result = self._impl.rebuild(target_context, pickle.loads(data))
        self._record(sig, from_disk=True)
        return result

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write a freshly compiled variant; a full or read-only disk costs the next start some time, no more."""
        self._record(sig, from_disk=False)
        if not self._enabled or data.library.has_dynamic_globals:
            return
        try:
            write_atomically(self._path(sig, data.codegen), dumps(self._impl.reduce(data)))
        except OSError:
            return

    def _record(self, sig: Any, *, from_disk: bool) -> None:
        seconds = time.perf_counter() - self._started
        COMPILED.append(
            CompiledKernel(
                name=self._function.__name__,
                signature=str(sig),
                seconds=seconds,
                from_disk=from_disk,
                source=self._source,
            )
        )

    def enable(self) -> None:
        """Switch the cache on."""
        self._enabled = True

    def disable(self) -> None:
        """Switch the cache off."""
        self._enabled = False

    def flush(self) -> None:
        """Do nothing: a recompilation overwrites the files of its variants."""
