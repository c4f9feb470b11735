"""Anchors, what they are matched with, and offsets, on a grid small enough to follow by hand."""

import numpy as np

from fxpsim.nn import Anchors
from fxpsim.nn.boxes import OFFSET_FRAC_BITS, PIXEL, hard_negatives, match, offsets_to, overlaps

GRID = Anchors.grid((16, 16), [8], [2, 4])  # four cells of 8 pixels, squares of 8 and of 16 pixels


def test_anchors_are_in_the_order_of_the_network():
    expected = []
    for row in range(2):
        for column in range(2):
            for side in (8, 16):
                middle = 8 * row + 4, 8 * column + 4
                expected.append([m - side // 2 for m in middle] + [m + side // 2 for m in middle])
    assert (GRID.corners // PIXEL).tolist() == expected
    assert GRID.strides.tolist() == [8] * 8


def test_anchor_edges_are_whole_numbers_for_odd_half_strides():
    odd = Anchors.grid((8, 8), [8], [3])
    assert (odd.corners / PIXEL).tolist() == [[-2, -2, 10, 10]]


def test_matching():
    # one object that is an anchor, one that overlaps none by half: it takes its best anchor all the same
    objects = np.array([[[0, 0, 8, 8, 16], [2, 12, 0, 16, 4], [-1, 0, 0, 0, 0]]])
    matched = match(GRID, objects)
    assert matched[0, 2] == 0, "row 0, column 1, side 8"
    assert matched[0, 4] == 1, "row 1, column 0, side 8: a quarter of it"
    assert (np.delete(matched[0], [2, 4]) == -1).all()


def test_an_image_without_objects_matches_nothing():
    assert (match(GRID, np.array([[[-1, 0, 0, 0, 0]]])) == -1).all()


def test_offsets_lead_back_to_the_object():
    objects = np.array([[[1, 3, 5, 12, 16]]])
    matched = np.zeros((1, 8), np.int64)
    codes = offsets_to(GRID, objects, matched)
    boxes = GRID.corners / PIXEL + np.ldexp(codes, -OFFSET_FRAC_BITS) * 8
    np.testing.assert_array_equal(boxes[0], np.broadcast_to([3, 5, 12, 16], (8, 4)))


def test_hard_negatives_are_the_most_mistaken_three_to_one():
    margin = np.array([[5, 9, 1, 7, 3, 8]])
    scores = np.stack([np.zeros_like(margin), margin], axis=-1)
    positive = np.array([[False, True, False, False, False, False]])
    assert np.flatnonzero(hard_negatives(scores, positive)).tolist() == [0, 3, 5]
    assert np.flatnonzero(hard_negatives(scores, np.zeros_like(positive))).tolist() == [1]
    unsigned = scores.astype(np.int16)
    assert np.flatnonzero(hard_negatives(unsigned, positive)).tolist() == [0, 3, 5]


def test_overlap_of_boxes_apart_is_zero():
    shared, union = overlaps(np.array([0, 0, 2, 2]), np.array([[3, 3, 4, 4], [0, 0, 2, 2]]))
    assert shared.tolist() == [0, 4]
    assert union.tolist() == [5, 4]
