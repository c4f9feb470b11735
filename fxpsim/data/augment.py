"""Augmentation of images, drawn per sample from one random word."""

from collections.abc import Callable
from enum import StrEnum

import numpy as np

_PAD = 4  # pixels on each side before a crop, as K. He et al. (CVPR 2016), section 4.2


class Augmentation(StrEnum):
    """How an image may be varied."""

    CROP = "crop"  # pad by 4 black pixels, cut a window of the old size
    FLIP = "flip"  # mirror left and right, every other time


def augment(images: np.ndarray, words: np.ndarray, steps: tuple[Augmentation, ...]) -> np.ndarray:
    """Return varied copies of ``images``.

    Parameters
    ----------
    images : numpy.ndarray
        uint8 (N, H, W, C).
    words : numpy.ndarray
        uint64 (N,): one random word for each image.
    steps : tuple of Augmentation
        What to do, in this order.

    Examples
    --------
    >>> image = np.array([[[[1], [2]]]], np.uint8)
    >>> augment(image, np.array([1 << 63], np.uint64), (Augmentation.FLIP,)).ravel().tolist()
    [2, 1]
    """
    for step in steps:
        images = _STEPS[step](images, words)
    return images


def _crop(images: np.ndarray, words: np.ndarray) -> np.ndarray:
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (_PAD, _PAD), (_PAD, _PAD), (0, 0)))
    # 16 bits of the word for each axis; 2**16 / 9 is no integer, so a position is off 1/9 by at most 2e-5
    places = 2 * _PAD + 1
    tops = ((words & np.uint64(0xFFFF)) * np.uint64(places) >> np.uint64(16)).astype(np.int64)
    lefts = ((words >> np.uint64(16) & np.uint64(0xFFFF)) * np.uint64(places) >> np.uint64(16)).astype(np.int64)
    cut = np.empty_like(images)
    for index, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist(), strict=True)):
        cut[index] = padded[index, top : top + height, left : left + width]
    return cut


def _flip(images: np.ndarray, words: np.ndarray) -> np.ndarray:
    mirrored = (words >> np.uint64(63)).astype(bool)
    return np.where(mirrored[:, np.newaxis, np.newaxis, np.newaxis], images[:, :, ::-1], images)


_STEPS: dict[Augmentation, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    Augmentation.CROP: _crop,
    Augmentation.FLIP: _flip,
}
