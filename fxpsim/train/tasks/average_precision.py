"""Mean average precision: how well boxes are found, over all thresholds of the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fxpsim.nn.boxes import overlaps

SUPPRESSED_ABOVE = 0.45  # overlap with a better box of the same class (Liu et al. 2016, section 3)
LOWEST_SHARE = 0.01
MOST = 100  # boxes of a class in an image


@dataclass(frozen=True, kw_only=True, eq=False)
class Detections:
    """What a network says of one image.

    Parameters
    ----------
    shares : ndarray, shape (boxes, classes)
        Probability of each class.
    boxes : ndarray, shape (boxes, 4)
        Top, left, bottom, right in pixels.
    """

    shares: np.ndarray
    boxes: np.ndarray


def mean_average_precision(
    found: Sequence[Detections], wanted: Sequence[np.ndarray], classes: int, *, overlap: float = 0.5
) -> float:
    """Return the area under the precision-recall curve, averaged over the classes that occur.

    The area is that of all points, as the VOC challenge takes it since 2010 (Everingham et al. 2010, section 4.2): the
    precision at a recall is the best one at that recall or a higher one.

    Parameters
    ----------
    found : sequence of Detections
        One for each image.
    wanted : sequence of ndarray, shape (objects, 5)
        Class, top, left, bottom, right of the objects of each image.
    classes : int
        How many classes there are.
    overlap : float
        Intersection over union from which a box counts as found; every object is found once.

    Examples
    --------
    >>> there = np.array([[0, 0, 0, 8, 8]])
    >>> seen = Detections(shares=np.array([[0.9], [0.8]]), boxes=np.array([[0, 0, 8, 8], [20, 20, 28, 28]]))
    >>> mean_average_precision([seen], [there], 1)
    1.0
    """
    areas = [_average_precision(found, wanted, kind, overlap) for kind in range(classes)]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if known else 0.0


def _average_precision(
    found: Sequence[Detections], wanted: Sequence[np.ndarray], kind: int, overlap: float
) -> float | None:
    """Return the area of one class; None where it does not occur."""
    scores: list[float] = []
    hits: list[bool] = []
    total = 0
    for seen, there in zip(found, wanted, strict=True):
        objects = there[there[:, 0] == kind, 1:]
        total += len(objects)
        share, boxes = _distinct(seen.shares[:, kind], seen.boxes)
        taken = np.zeros(len(objects), bool)
        for score, box in zip(share.tolist(), boxes, strict=True):
            ratio = _ratio(box, objects)
            ratio[taken] = 0.0
            best = int(ratio.argmax()) if len(objects) else -1
            hit = best >= 0 and ratio[best] >= overlap
            if hit:
                taken[best] = True
            scores.append(score)
            hits.append(bool(hit))
    if not total:
        return None
    order = np.argsort(-np.array(scores), kind="stable")
    right = np.cumsum(np.array(hits, np.int64)[order])
    precision = right / np.arange(1, len(right) + 1)
    best_later = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(right, prepend=0)
    return float((best_later * steps).sum() / total)


def _distinct(shares: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes of a class, best first, without those that a better one covers."""
    order = np.argsort(-shares, kind="stable")
    order = order[shares[order] >= LOWEST_SHARE]
    kept: list[int] = []
    while order.size and len(kept) < MOST:
        kept.append(int(order[0]))
        order = order[1:]
        order = order[_ratio(boxes[kept[-1]], boxes[order]) <= SUPPRESSED_ABOVE]
    return shares[kept], boxes[kept]


def _ratio(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return intersection over union of one box with others; boxes turned inside out cover nothing."""
    shared, union = overlaps(box, others)
    return np.where(union > 0, shared / np.where(union > 0, union, 1), 0.0)
