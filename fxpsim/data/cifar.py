"""CIFAR-10 and CIFAR-100: 32 x 32 color images, Python or binary distribution.

Source: A. Krizhevsky, "Learning multiple layers of features from tiny images", technical report (2009), and the layout
of both distributions on its web page.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fxpsim.data.checks import labels_of
from fxpsim.data.dataset import Dataset, InputKind, Split, Task
from fxpsim.data.files import find, find_one, read_bytes, require_dir
from fxpsim.data.pickles import read_pickle
from fxpsim.data.registry import datasets
from fxpsim.errors import UserError
from fxpsim.registry import unknown

_PIXELS = 3 * 32 * 32
_VEHICLES_AND_ANIMALS = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where the parts of a set are, in both distributions."""

    folders: tuple[str, ...]
    train: tuple[str, ...]
    test: tuple[str, ...]
    label_key: str
    label_bytes: int  # of a record in the binary distribution
    label_at: int
    classes: int


@datasets.register("cifar10")
def cifar10(data_dir: Path | None = None) -> Dataset:
    """Return CIFAR-10 from ``data_batch_1..5`` and ``test_batch``, as pickles or ``.bin``, also ``.gz`` or ``.xz``."""
    layout = _Layout(
        folders=("cifar-10-batches-py", "cifar-10-batches-bin"),
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test=("test_batch",),
        label_key="labels",
        label_bytes=1,
        label_at=0,
        classes=10,
    )
    return _load("cifar10", data_dir, layout, _VEHICLES_AND_ANIMALS)


@datasets.register("cifar100")
def cifar100(data_dir: Path | None = None, *, labels: str = "fine") -> Dataset:
    """Return CIFAR-100 from ``train`` and ``test``, as pickles or ``.bin``, also ``.gz`` or ``.xz``.

    ``labels`` chooses the 100 ``fine`` or the 20 ``coarse`` classes.
    """
    if labels not in ("fine", "coarse"):
        raise unknown("kind of labels", labels, ("fine", "coarse"), where="data set 'cifar100'")
    layout = _Layout(
        folders=("cifar-100-python", "cifar-100-binary"),
        train=("train",),
        test=("test",),
        label_key=f"{labels}_labels",
        label_bytes=2,
        label_at=1 if labels == "fine" else 0,
        classes=100 if labels == "fine" else 20,
    )
    return _load("cifar100", data_dir, layout, ())


def _load(name: str, data_dir: Path | None, layout: _Layout, class_names: tuple[str, ...]) -> Dataset:
    folder = require_dir(name, data_dir)
    binary = find_one(folder, layout.folders, [part + ".bin" for part in layout.test]) is not None
    read: Callable[[Path, _Layout], Split] = _read_binary if binary else _read_python
    paths = [
        find(folder, layout.folders, [part + ".bin" if binary else part]) for part in (*layout.train, *layout.test)
    ]
    with ThreadPoolExecutor(max_workers=4) as pool:  # decompression runs without the interpreter's lock
        parts = list(pool.map(lambda path: read(path, layout), paths))
    return Dataset.scaled(
        name=name,
        train=_joined(parts[: len(layout.train)]),
        test=_joined(parts[len(layout.train) :]),
        classes=layout.classes,
        kind=InputKind.IMAGE,
        task=Task.CLASSIFICATION,
        class_names=class_names,
        source="binary distribution" if binary else "Python distribution",
    )


def _read_python(path: Path, layout: _Layout) -> Split:
    content = read_pickle(path)
    planes, labels = content.get("data"), content.get(layout.label_key)
    if not isinstance(planes, np.ndarray) or labels is None:
        raise UserError(
            f"the batch holds {', '.join(sorted(content)) or 'nothing'}",
            where=str(path),
            expected=f"data and {layout.label_key}",
            remedy="check that this is a batch of the Python distribution",
        )
    if planes.dtype != np.uint8 or planes.ndim != 2 or planes.shape[1] != _PIXELS:
        raise UserError(
            f"data is {planes.dtype}{planes.shape}",
            where=str(path),
            expected=f"uint8 (N, {_PIXELS})",
            remedy="check that this is a batch of the Python distribution",
        )
    return _split(planes, np.asarray(labels), layout, path)


def _read_binary(path: Path, layout: _Layout) -> Split:
    raw = np.frombuffer(read_bytes(path), np.uint8)
    record = layout.label_bytes + _PIXELS
    if raw.size == 0 or raw.size % record:
        raise UserError(
            f"the file is {raw.size} bytes long",
            where=str(path),
            expected=f"a multiple of {record} bytes ({layout.label_bytes} of labels, {_PIXELS} of pixels)",
            remedy="the file is cut off or of another data set: fetch it again",
        )
    records = raw.reshape(-1, record)
    return _split(records[:, layout.label_bytes :], records[:, layout.label_at], layout, path)


def _split(planes: np.ndarray, labels: np.ndarray, layout: _Layout, path: Path) -> Split:
    """Turn planes R, G, B (N, 3072) into channel-last images."""
    targets = labels_of(labels, samples=len(planes), classes=layout.classes, where=str(path))
    images = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Split(inputs=np.ascontiguousarray(images), targets=targets)


def _joined(parts: Sequence[Split]) -> Split:
    return Split(
        inputs=np.concatenate([part.inputs for part in parts]), targets=np.concatenate([part.targets for part in parts])
    )
