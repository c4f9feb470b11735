"""Losses beyond those of the op set: some rows only, squared error with a tolerance, and boxes with their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fxpsim.autodiff import Tensor, ops
from fxpsim.autodiff.ops import Loss
from fxpsim.nn.boxes import OFFSET_FRAC_BITS, Anchors, hard_negatives, match, offsets_to

TOLERANCE_LOG2 = -2  # a number within a quarter of the right one counts as right


def masked_cross_entropy(logits: Tensor, labels: np.ndarray, kept: np.ndarray) -> Loss:
    """Softmax cross entropy over some of the rows; the others get no gradient.

    Parameters
    ----------
    logits : Tensor, shape (..., classes)
    labels : ndarray of int, shape (...)
        Right class of each row.
    kept : ndarray of bool, shape (...)
        Which rows count; at least one.

    Returns
    -------
    Loss
        Mean over the kept rows.
    """
    rows, classes = kept.size, logits.shape[-1]
    with logits.engine.at(layer="loss"):
        flat = ops.reshape(logits, shape=(rows, classes)) if len(logits.shape) != 2 else logits
        chosen = ops.embedding(flat, ids=np.flatnonzero(kept))
    return ops.softmax_cross_entropy(chosen, labels[kept])


def squared_error(output: Tensor, targets: np.ndarray, frac_bits: int) -> Loss:
    """Mean squared error from target codes; ``correct`` counts samples whose numbers all lie within a quarter.

    Parameters
    ----------
    output : Tensor, shape (samples, outputs)
    targets : ndarray of int32, shape (samples, outputs)
        Codes with ``frac_bits`` fractional bits.
    frac_bits : int
        Fraction length of the targets.
    """
    engine = output.engine
    loss = ops.mean_squared_error(output, engine.tensor(targets, frac_bits))
    near = _near(engine.vector.array(output.value), output.value.frac_bits, targets, frac_bits)
    return replace(loss, correct=int(near.reshape(len(targets), -1).all(axis=1).sum()))


def _near(found: np.ndarray, found_frac_bits: int | None, targets: np.ndarray, frac_bits: int) -> np.ndarray:
    """Return which numbers lie within the tolerance; codes are compared as codes."""
    if found_frac_bits is None:
        return np.abs(found - np.ldexp(targets, -frac_bits)) <= np.ldexp(1.0, TOLERANCE_LOG2)
    common = max(found_frac_bits, frac_bits, -TOLERANCE_LOG2)
    wide = found.astype(np.int64) << common - found_frac_bits
    return np.abs(wide - (targets.astype(np.int64) << common - frac_bits)) <= 1 << common + TOLERANCE_LOG2


def multibox_loss(output: Tensor, objects: np.ndarray, anchors: Anchors) -> Loss:
    r"""Cross entropy of the anchors' classes plus the squared error of the matched anchors' edges.

    Liu et al., "SSD", ECCV 2016, section 2.2, with three differences of our own, so that no float is needed: edges
    in units of the cell instead of logarithms of sizes, their squared error instead of smooth L1, and each part a mean
    over its own rows. Anchors without an object take part three to one, the most mistaken first; ``samples`` and
    ``correct`` count the anchors that take part.

    Parameters
    ----------
    output : Tensor, shape (N, anchors, classes + 1 + 4)
        Score of none, scores of the classes, and the offsets of the edges.
    objects : ndarray of int, shape (N, objects, 5)
        Class (-1: none), top, left, bottom, right in pixels.
    anchors : Anchors
        The boxes that the offsets start from.
    """
    engine, (n, count, width) = output.engine, output.shape
    matched = match(anchors, objects)
    positive = matched >= 0
    kinds = np.take_along_axis(objects[:, :, 0], np.maximum(matched, 0), axis=1)
    labels = np.where(positive, 1 + kinds, 0)
    start = Tensor(engine, output.value, requires_grad=output.requires_grad)
    with engine.at(layer="loss"):
        scores = ops.take(start, index=(slice(None), slice(None), slice(0, width - 4)))
    kept = positive | hard_negatives(engine.vector.array(scores.value), positive)
    parts = [masked_cross_entropy(scores, labels, kept)]
    if positive.any():
        with engine.at(layer="loss"):
            edges = ops.take(start, index=(slice(None), slice(None), slice(width - 4, width)))
            edges = ops.embedding(ops.reshape(edges, shape=(n * count, 4)), ids=np.flatnonzero(positive))
        wanted = offsets_to(anchors, objects, matched)[positive]
        parts.append(ops.mean_squared_error(edges, engine.tensor(wanted, OFFSET_FRAC_BITS)))
    return _joined(output, start, parts)


def _joined(output: Tensor, start: Tensor, parts: Sequence[Loss]) -> Loss:
    """Return the sum of the means of several losses on ``start``, a leaf with the value of ``output``."""
    first = parts[0]
    total = first.total
    for part in parts[1:]:
        total = total + part.total * first.samples / part.samples
    if not output.requires_grad:
        return Loss(total, first.samples, first.correct, output, first.grad)
    gradients = [part.backward()[id(start)] for part in parts]
    with output.engine.at(layer="loss", pass_="input_grad"):
        grad = gradients[0]
        for other in gradients[1:]:
            grad = grad + other
    return Loss(total, first.samples, first.correct, output, grad)


__all__ = ["masked_cross_entropy", "multibox_loss", "squared_error"]
