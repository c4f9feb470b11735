"""Characters of a text file, to be predicted one by one."""

from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fxpsim.data.dataset import Dataset, Split, Task
from fxpsim.data.files import read_bytes, require_dir
from fxpsim.data.registry import datasets, positive
from fxpsim.errors import UserError

_SUFFIXES = (".txt", ".txt.gz", ".txt.xz")


@datasets.register("text")
def text(
    data_dir: Path | None = None, *, file: str = "", window: int = 64, stride: int | None = None, held_out: float = 0.1
) -> Dataset:
    """Return windows of characters of a UTF-8 file and, as targets, the characters that follow each of them.

    Parameters
    ----------
    data_dir : Path
        The file itself, or a directory with it.
    file : str
        Name of the file in the directory; not needed where there is only one ``.txt``, ``.txt.gz`` or ``.txt.xz``.
    window : int
        Characters in a sample.
    stride : int, optional
        Distance between the beginnings of two training windows; ``window`` where not given: no overlap.
    held_out : float
        Share of the text, at its end, that is the test split.
    """
    path = _text_file(require_dir("text", data_dir), file)
    window = positive("window", window, "text")
    step = window if stride is None else positive("stride", stride, "text")
    characters = _characters(path)
    vocabulary, tokens = np.unique(characters, return_inverse=True)
    tokens = tokens.astype(np.int32)
    if not 0 < held_out < 1:
        raise UserError(
            f"held_out is {held_out}", where="data set 'text'", expected="between 0 and 1", remedy="give a share"
        )
    cut = len(tokens) - round(len(tokens) * held_out)
    if min(cut, len(tokens) - cut) <= window:
        raise UserError(
            f"{len(tokens)} characters are too few for windows of {window}",
            where=str(path),
            expected=f"more than {window} characters in the training part and in the held-out part",
            remedy="give a longer text or a shorter window",
        )
    return Dataset.of_tokens(
        name="text",
        train=_windows(tokens[:cut], window, step),
        test=_windows(tokens[cut:], window, window),
        classes=len(vocabulary),
        task=Task.NEXT_TOKEN,
        class_names=tuple(chr(code) for code in vocabulary.tolist()),
        source=f"characters of {path.name}",
    )


def _text_file(data_dir: Path, file: str) -> Path:
    if data_dir.is_file():
        return data_dir
    found = [data_dir / file] if file else sorted(p for p in data_dir.iterdir() if p.name.endswith(_SUFFIXES))
    if len(found) != 1 or not found[0].is_file():
        names = ", ".join(path.name for path in found if path.is_file())
        raise UserError(
            f"no text file {file!r}" if file else f"{len(found)} text files" + (f": {names}" if names else ""),
            where=str(data_dir),
            expected="one file *.txt, *.txt.gz or *.txt.xz",
            remedy="name it with file=..., or give its path as data directory",
        )
    return found[0]


def _characters(path: Path) -> np.ndarray:
    """Return the code points of the file."""
    try:
        decoded = read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"byte {error.start} is not UTF-8", where=str(path), expected="a UTF-8 text", remedy="convert the file"
        ) from error
    return np.frombuffer(decoded.encode("utf-32-le"), "<u4")


def _windows(tokens: np.ndarray, window: int, stride: int) -> Split:
    """Cut windows; both arrays are views of ``tokens``, so overlapping windows cost no memory."""
    return Split(
        inputs=sliding_window_view(tokens[:-1], window)[::stride],
        targets=sliding_window_view(tokens[1:], window)[::stride],
    )
