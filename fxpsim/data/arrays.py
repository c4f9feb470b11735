"""Samples that come as plain arrays: features of any range, labels of any kind."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fxpsim.data.checks import bytes_of, labels_of, refuse_nan
from fxpsim.data.dataset import Dataset, InputKind, Split, Task
from fxpsim.data.digits import every_fifth_of_each_class
from fxpsim.errors import UserError


def classification(
    name: str,
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    shape: Any = None,
    source: str,
    held_out: np.ndarray | None = None,
) -> Dataset:
    """Make a data set of one array of inputs and one of labels.

    Labels may be numbers or strings; classes are their sorted distinct values. Features of any range become 8-bit
    codes (`eight_bit`); with ``shape`` they are 8-bit images already.

    Parameters
    ----------
    name, source : str
        See `Dataset`.
    inputs : numpy.ndarray
        (N, F), or uint8 images (N, H, W, C).
    labels : numpy.ndarray
        (N,).
    shape : sequence of int, optional
        (H, W, C) of the images that the rows of ``inputs`` are.
    held_out : numpy.ndarray, optional
        bool (N,): which samples are the test split; every fifth of each class where not given.
    """
    refuse_nan(np.asarray(labels), where=f"labels of {name}")
    class_names, targets = np.unique(labels, return_inverse=True)
    targets = labels_of(targets, samples=len(inputs), classes=None, where=f"labels of {name}")
    mask = every_fifth_of_each_class(targets) if held_out is None else held_out
    images = shape is not None or inputs.ndim == 4
    codes = _images(name, inputs, shape) if images else eight_bit(name, inputs, reference=inputs[~mask])
    return Dataset.scaled(
        name=name,
        train=Split(inputs=codes[~mask], targets=targets[~mask]),
        test=Split(inputs=codes[mask], targets=targets[mask]),
        classes=len(class_names),
        kind=InputKind.IMAGE if images else InputKind.FEATURES,
        task=Task.CLASSIFICATION,
        class_names=tuple(str(label) for label in class_names),
        source=source,
    )


def eight_bit(name: str, inputs: np.ndarray, *, reference: np.ndarray) -> np.ndarray:
    """Return features as uint8: the range that each has in ``reference`` mapped onto 0 to 255, the rest clipped.

    >>> eight_bit("x", np.array([[0.0], [0.5], [3.0]]), reference=np.array([[0.0], [1.0]])).ravel().tolist()
    [0, 128, 255]
    """
    if inputs.ndim != 2 or inputs.dtype.kind not in "uifb":
        raise UserError(
            f"inputs are {inputs.dtype}{inputs.shape}",
            where=name,
            expected="numbers (N, F), or images (N, H, W, C)",
            remedy="give one row of numbers per sample, or shape=[H, W, C]",
        )
    refuse_nan(inputs, where=name)
    if inputs.dtype == np.uint8:
        return inputs
    values = inputs.astype(np.float64)
    low, high = reference.min(axis=0).astype(np.float64), reference.max(axis=0).astype(np.float64)
    span = np.where(high > low, high - low, 1.0)
    return np.clip(np.floor((values - low) / span * 255 + 0.5), 0, 255).astype(np.uint8)


def _images(name: str, inputs: np.ndarray, shape: Sequence[int] | None) -> np.ndarray:
    codes = bytes_of(inputs, where=name)
    if shape is None:
        return codes
    if len(shape) != 3 or codes[0].size != np.prod(shape):
        raise UserError(
            f"shape is {list(shape)}",
            where=name,
            expected=f"[H, W, C] with H * W * C = {codes[0].size}",
            remedy="give another shape",
        )
    return codes.reshape(-1, *shape)
