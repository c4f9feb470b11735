"""Find the files of a data set and read them, compressed or not."""

import gzip
import lzma
import zlib
from collections.abc import Iterable
from pathlib import Path

from fxpsim.errors import UserError

_COMPRESSED = {".gz": gzip.open, ".xz": lzma.open}
_SUFFIXES = ("", *_COMPRESSED)


def require_dir(name: str, data_dir: Path | None) -> Path:
    """Return ``data_dir``, or say that data set ``name`` needs one."""
    if data_dir is None:
        raise UserError(
            f"data set {name!r} is read from files, and no data directory was given",
            where="data_dir",
            expected="the directory that holds its files, or the parent of that directory",
            remedy="give --data-dir DIR on the command line, data_dir=... in Python",
        )
    if not data_dir.exists():
        raise UserError(
            f"no such data directory: {data_dir}",
            where="data_dir",
            expected=f"an existing directory with the files of {name!r}, or its parent",
            remedy="check the path",
        )
    return data_dir


def find_one(data_dir: Path, folders: Iterable[str], names: Iterable[str]) -> Path | None:
    """Return the first of ``names`` (plain, .gz or .xz) in ``data_dir`` or one of its ``folders``, or None."""
    names = tuple(names)
    for folder in (data_dir, *(data_dir / folder for folder in folders)):
        for name in names:
            for suffix in _SUFFIXES:
                path = folder / (name + suffix)
                if path.is_file():
                    return path
    return None


def find(data_dir: Path, folders: Iterable[str], names: Iterable[str]) -> Path:
    """Return the first of ``names`` (plain, .gz or .xz) in ``data_dir`` or one of its ``folders``.

    Raises
    ------
    UserError
        If there is none; the message lists what was looked for, and where.
    """
    folders, names = tuple(folders), tuple(names)
    path = find_one(data_dir, folders, names)
    if path is None:
        raise UserError(
            f"data file {names[0]!r} is missing",
            where=", ".join(str(folder) for folder in (data_dir, *(data_dir / f for f in folders)) if folder.is_dir()),
            expected="one of: " + ", ".join(name + suffix for name in names for suffix in _SUFFIXES),
            remedy="give the directory that holds the file, or its parent, and unpack archives (.tar) first",
        )
    return path


def read_bytes(path: Path) -> bytes:
    """Return the content of ``path``, decompressed where its suffix is .gz or .xz.

    Raises
    ------
    UserError
        If the file cannot be read, or its compressed stream is cut off or damaged.
    """
    try:
        if path.suffix in _COMPRESSED:
            with _COMPRESSED[path.suffix](path) as stream:
                return stream.read()
        return path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise UserError(
            f"cannot decompress: {error}",
            where=str(path),
            expected=f"a complete {path.suffix} file",
            remedy="the file is cut off or damaged: fetch it again",
        ) from error
    except OSError as error:
        raise UserError(
            f"cannot read: {error.strerror}", where=str(path), remedy="check path and permissions"
        ) from error
