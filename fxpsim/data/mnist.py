"""MNIST and Fashion-MNIST: 28 x 28 grey images from IDX files.

Sources: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86 (1998);
H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", arXiv:1708.07747.
"""

from pathlib import Path

import numpy as np

from fxpsim.data.checks import bytes_of, labels_of
from fxpsim.data.dataset import Dataset, InputKind, Split, Task
from fxpsim.data.files import find, require_dir
from fxpsim.data.idx import read_idx
from fxpsim.data.registry import datasets

_CLOTHES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


@datasets.register("mnist")
def mnist(data_dir: Path | None = None) -> Dataset:
    """Return MNIST from the four IDX files in ``data_dir`` (or its ``mnist/`` or ``MNIST/raw/``)."""
    return _from_idx("mnist", data_dir, ("mnist", "MNIST/raw"), tuple("0123456789"))


@datasets.register("fashion-mnist")
def fashion_mnist(data_dir: Path | None = None) -> Dataset:
    """Return Fashion-MNIST, likewise (or its ``fashion-mnist/``, ``fashion_mnist/`` or ``FashionMNIST/raw/``)."""
    return _from_idx("fashion-mnist", data_dir, ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw"), _CLOTHES)


def _from_idx(name: str, data_dir: Path | None, folders: tuple[str, ...], class_names: tuple[str, ...]) -> Dataset:
    folder = require_dir(name, data_dir)
    train, test = (_split(folder, folders, prefix, len(class_names)) for prefix in ("train", "t10k"))
    return Dataset.scaled(
        name=name,
        train=train,
        test=test,
        classes=len(class_names),
        kind=InputKind.IMAGE,
        task=Task.CLASSIFICATION,
        class_names=class_names,
        source="IDX files",
    )


def _split(data_dir: Path, folders: tuple[str, ...], prefix: str, classes: int) -> Split:
    # both spellings are in circulation: with a dash, and with a dot as old unpackers wrote it
    images_path = find(data_dir, folders, [f"{prefix}-images{sep}idx3-ubyte" for sep in "-."])
    labels_path = find(data_dir, folders, [f"{prefix}-labels{sep}idx1-ubyte" for sep in "-."])
    images = bytes_of(read_idx(images_path, ndim=3), where=str(images_path))
    labels = read_idx(labels_path, ndim=1)
    targets = labels_of(labels, samples=len(images), classes=classes, where=str(labels_path))
    return Split(inputs=np.ascontiguousarray(images[..., np.newaxis]), targets=targets)
