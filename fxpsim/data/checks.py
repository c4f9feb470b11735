"""Checks that every loader makes on what it has read."""

import numpy as np

from fxpsim.errors import UserError


def bytes_of(array: np.ndarray, *, where: str) -> np.ndarray:
    """Return ``array`` as uint8; its elements must be finite integers from 0 to 255."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "uif":
        raise UserError(f"elements are {array.dtype}", where=where, expected="numbers", remedy="check the file")
    refuse_nan(array, where=where)
    outside = (array < 0) | (array > 255) | (array != np.trunc(array))
    if outside.any():
        first = tuple(int(i) for i in np.argwhere(outside)[0])
        raise UserError(
            f"element {first} is {array[first]}",
            where=where,
            expected="integers from 0 to 255",
            remedy="store the inputs as 8-bit integers",
        )
    return array.astype(np.uint8)


def refuse_nan(array: np.ndarray, *, where: str) -> None:
    """Raise if a float array holds a NaN or an infinity; the message names the first."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = ~np.isfinite(array)
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise UserError(
            f"element {first} is {array[first]} ({int(bad.sum())} of {array.size} elements are NaN or infinite)",
            where=where,
            expected="finite numbers",
            remedy="remove or fill in those samples",
        )


def labels_of(labels: np.ndarray, *, samples: int, classes: int | None, where: str) -> np.ndarray:
    """Return ``labels`` as int32 after checking their number and range."""
    if len(labels) != samples:
        raise UserError(
            f"{len(labels)} labels for {samples} samples",
            where=where,
            expected="as many labels as samples",
            remedy="check that both files belong to the same split",
        )
    if labels.size == 0:
        raise UserError("there are no samples", where=where, expected="at least one sample", remedy="check the file")
    if labels.ndim != 1 or labels.dtype.kind not in "uif":
        raise UserError(
            f"labels are {labels.dtype}{labels.shape}",
            where=where,
            expected="one integer for each sample",
            remedy="check that this is the file with the labels",
        )
    refuse_nan(labels, where=where)
    outside = (labels < 0) | (labels != np.trunc(labels)) | (labels >= (classes or 2**31))
    if outside.any():
        first = int(np.argmax(outside))
        raise UserError(
            f"label {first} is {labels[first]}",
            where=where,
            expected=f"integers from 0 to {classes - 1}" if classes else "integers from 0",
            remedy="check that image and label files have not been exchanged",
        )
    return labels.astype(np.int32)
