"""Boxes of a single-shot detector: anchors, what they are matched with, and the offsets in between; integers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PIXEL = 4  # units of a coordinate in a pixel: the edges of all anchors are whole numbers of them
OFFSET_FRAC_BITS = 12
NEGATIVES = 3  # anchors without an object for each one with
RATIO_BITS = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Anchors:
    """The boxes that a detector's offsets start from.

    Parameters
    ----------
    corners : ndarray of int64, shape (anchors, 4)
        Top, left, bottom, right in quarters of a pixel.
    strides : ndarray of int64, shape (anchors,)
        Pixels between two cells of the anchor's map: the unit of its offsets.
    """

    corners: np.ndarray
    strides: np.ndarray

    @classmethod
    def grid(cls, image: tuple[int, int], strides: Sequence[int], sides: Sequence[int]) -> Anchors:
        """Return square anchors around the middle of every cell of every map, in the order (map, row, column, side).

        Parameters
        ----------
        image : (int, int)
            Rows and columns of the image, multiples of every stride.
        strides : sequence of int
            Pixels between the cells of each map.
        sides : sequence of int
            Sides of a cell's anchors, in half strides.

        Examples
        --------
        >>> Anchors.grid((8, 8), [8], [2]).corners.tolist()
        [[0, 0, 32, 32]]
        """
        corners, steps = [], []
        for stride in strides:
            assert image[0] % stride == image[1] % stride == 0, f"{image} is no multiple of {stride}"
            rows, columns = (np.arange(size // stride) for size in image)
            middle = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)[:, :, np.newaxis] * 2 + 1
            half = np.array(sides, np.int64)[:, np.newaxis] * stride * PIXEL // 4
            middle = middle * stride * PIXEL // 2
            boxes = np.concatenate(np.broadcast_arrays(middle - half, middle + half), axis=-1).reshape(-1, 4)
            corners.append(boxes)
            steps.append(np.full(len(boxes), stride, np.int64))
        return cls(corners=np.concatenate(corners).astype(np.int64), strides=np.concatenate(steps))


def overlaps(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return areas of intersection and union of boxes that broadcast against each other (last axis: four edges).

    >>> overlaps(np.array([0, 0, 2, 2]), np.array([1, 0, 3, 2]))
    (np.int64(2), np.int64(6))
    """
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    return shared, np.prod(a[..., 2:] - a[..., :2], axis=-1) + np.prod(b[..., 2:] - b[..., :2], axis=-1) - shared


def match(anchors: Anchors, objects: np.ndarray) -> np.ndarray:
    """Return which object each anchor of each image stands for; -1 for none.

    An anchor takes the object that it overlaps most, if by at least half of their union; every object moreover takes
    the anchor that overlaps it most (Liu et al. 2016, section 2.2, "Matching strategy").

    Parameters
    ----------
    anchors : Anchors
    objects : ndarray of int, shape (N, objects, 5)
        Class (-1: none), top, left, bottom, right in pixels.

    Returns
    -------
    ndarray of int64, shape (N, anchors)
    """
    boxes = objects[:, :, np.newaxis, 1:].astype(np.int64) * PIXEL
    shared, union = overlaps(boxes, anchors.corners)
    ratio = (shared << RATIO_BITS) // np.maximum(union, 1)
    ratio[objects[:, :, 0] < 0] = -1
    best = ratio.argmax(axis=1)
    half = np.take_along_axis(2 * ratio, best[:, np.newaxis], axis=1)[:, 0] >= 1 << RATIO_BITS
    matched = np.where(half, best, -1)
    favorite = ratio.argmax(axis=2)
    for image, number in np.argwhere(objects[:, :, 0] >= 0):
        matched[image, favorite[image, number]] = number
    return matched


def offsets_to(anchors: Anchors, objects: np.ndarray, matched: np.ndarray) -> np.ndarray:
    """Return the way from each anchor's edges to its object's, in strides: codes with ``OFFSET_FRAC_BITS`` bits."""
    boxes = np.take_along_axis(objects[:, :, 1:], np.maximum(matched, 0)[..., np.newaxis], axis=1)
    way = (boxes.astype(np.int64) * PIXEL - anchors.corners) << OFFSET_FRAC_BITS + 1
    unit = anchors.strides[:, np.newaxis] * PIXEL
    return ((way + unit) // (2 * unit)).astype(np.int32)


def hard_negatives(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Return which anchors without an object take part: of each image three for one with, at least one.

    Those come first whose best class is furthest ahead of none (the margin stands for the loss of Liu et al.: it needs
    no exponential).

    Parameters
    ----------
    scores : ndarray, shape (N, anchors, classes + 1)
        Codes or floats; the score of none comes first.
    positive : ndarray of bool, shape (N, anchors)
    """
    kind = np.int64 if scores.dtype.kind in "iu" else scores.dtype
    margin = scores[..., 1:].max(axis=-1).astype(kind) - scores[..., 0]
    # the sort is stable, and anchors with an object go to the end
    order = np.lexsort((-margin, positive), axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(order.shape[1])[np.newaxis], axis=1)
    wanted = np.maximum(NEGATIVES * positive.sum(axis=1, keepdims=True), 1)
    return (rank < wanted) & ~positive
