"""A user's own arrays, from one .npz file."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fxpsim.data.arrays import classification
from fxpsim.data.dataset import Dataset
from fxpsim.data.files import require_dir
from fxpsim.data.registry import datasets
from fxpsim.errors import UserError


@datasets.register("npz")
def npz(data_dir: Path | None = None, *, file: str = "", shape: Any = None) -> Dataset:
    """Return a classification set from ``x_train, y_train`` and, where there are, ``x_test, y_test`` of a .npz file.

    Without a test part every fifth sample of each class is held out. Features become 8-bit codes, uint8 images
    (N, H, W, C) stay as they are.

    Parameters
    ----------
    data_dir : Path
        The file itself, or the directory of ``file``.
    file : str
        Name of the file in the directory.
    shape : sequence of int, optional
        (H, W, C), to read rows as 8-bit images.
    """
    path = require_dir("npz", data_dir)
    path = path / file if path.is_dir() else path
    content = _read(path)
    if not {"x_train", "y_train"} <= content.keys():
        raise UserError(
            f"the file holds {', '.join(sorted(content)) or 'nothing'}",
            where=str(path),
            expected="x_train and y_train, and for a split of your own x_test and y_test",
            remedy="save it with numpy.savez(path, x_train=..., y_train=...)",
        )
    parts = ("train", "test") if {"x_test", "y_test"} <= content.keys() else ("train",)
    inputs, labels = ([content[f"{kind}_{part}"] for part in parts] for kind in "xy")
    _check(inputs, labels, path)
    held_out = np.repeat([False, True], [len(part) for part in labels]) if len(parts) == 2 else None
    return classification(
        "npz", np.concatenate(inputs), np.concatenate(labels), shape=shape, source=path.name, held_out=held_out
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"cannot read the arrays: {error}",
            where=str(path),
            expected="a .npz file of plain arrays (no objects)",
            remedy="check the path; save it again with numpy.savez",
        ) from error


def _check(inputs: list[np.ndarray], labels: list[np.ndarray], path: Path) -> None:
    for x, y in zip(inputs, labels, strict=True):
        if y.ndim != 1 or x.ndim < 2 or len(x) != len(y) or x.shape[1:] != inputs[0].shape[1:]:
            raise UserError(
                f"inputs {x.shape} with labels {y.shape}",
                where=str(path),
                expected="(N, ...) with (N,), and the same sample shape in x_train and x_test",
                remedy="check the arrays",
            )
