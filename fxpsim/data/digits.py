"""The 8 x 8 handwritten digits that come with scikit-learn: no file, no network.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository (1998),
test part; 1797 images with pixels from 0 to 16.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fxpsim.data.dataset import Dataset, InputKind, Split, Task
from fxpsim.data.registry import datasets


@datasets.register("digits")
def digits(data_dir: Path | None = None) -> Dataset:
    """Return the digits; every fifth image of each class is held out (355 of 1797).

    Examples
    --------
    >>> data = digits()
    >>> data.test, data.input_offset.tolist(), data.input_frac_bits
    (Split(inputs=uint8(355, 8, 8, 1), targets=int32(355,)), [5], 3)
    """
    table = _table()
    inputs = np.ascontiguousarray(table[:, :64]).reshape(-1, 8, 8, 1)
    targets = table[:, 64].astype(np.int32)
    held_out = every_fifth_of_each_class(targets)
    return Dataset.scaled(
        name="digits",
        train=Split(inputs=inputs[~held_out], targets=targets[~held_out]),
        test=Split(inputs=inputs[held_out], targets=targets[held_out]),
        classes=10,
        kind=InputKind.IMAGE,
        task=Task.CLASSIFICATION,
        class_names=tuple("0123456789"),
        source="scikit-learn's load_digits (UCI optical digits, test part); every fifth of each class held out",
    )


def _table() -> np.ndarray:
    """Return 64 pixels and the class of each image, from the file that ``sklearn.datasets.load_digits`` reads.

    To import scikit-learn takes a second, to read its file five milliseconds. A version that keeps the digits
    elsewhere is asked for them.
    """
    package = find_spec("sklearn")
    path = Path(package.origin if package and package.origin else "").parent / "datasets" / "data" / "digits.csv.gz"
    if path.is_file():
        return np.loadtxt(path, delimiter=",", dtype=np.uint8)
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return np.column_stack([bunch.data, bunch.target]).astype(np.uint8)


def every_fifth_of_each_class(targets: np.ndarray) -> np.ndarray:
    """Return a mask of the held-out samples: the 5th, 10th, 15th ... of each class, in stored order.

    No random number is drawn, so the split is the same in every version of every library.

    >>> every_fifth_of_each_class(np.array([0] * 5 + [1] * 6)).nonzero()[0].tolist()
    [4, 9]
    """
    held_out = np.zeros(len(targets), bool)
    for label in np.unique(targets):
        held_out[np.flatnonzero(targets == label)[4::5]] = True
    return held_out
