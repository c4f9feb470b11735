"""Generated tasks: right by construction, and the same every time."""

import numpy as np
import pytest

from fxpsim.data import Task, load

SMALL = {"train_size": 60, "test_size": 20}


@pytest.mark.parametrize("name", ["shapes-segmentation", "shapes-detection", "sequence-translation"])
def test_reproducible_and_keyed_by_the_seed(name):
    first = load(name, **SMALL)
    assert first.fingerprint() == load(name, **SMALL).fingerprint()
    assert first.fingerprint() != load(name, **SMALL, seed=1).fingerprint()
    assert (len(first.train), len(first.test)) == (60, 20)


def test_segmentation_and_detection_show_the_same_scenes():
    masks, boxes = load("shapes-segmentation", **SMALL, objects=1), load("shapes-detection", **SMALL, objects=1)
    assert np.array_equal(masks.train.inputs, boxes.train.inputs)
    assert (masks.task, boxes.task) == (Task.SEGMENTATION, Task.DETECTION)
    for mask, box in zip(masks.train.targets, boxes.train.targets[:, 0], strict=True):
        kind, top, left, bottom, right = box.tolist()
        rows, columns = np.nonzero(mask)
        assert set(np.unique(mask)) == {0, 1 + kind}
        assert (rows.min(), rows.max()) == (top, bottom - 1)
        assert (columns.min(), columns.max()) == (left, right - 1)


def test_every_class_occurs():
    data = load("shapes-segmentation", **SMALL)
    assert set(np.unique(data.train.targets)) == {0, 1, 2, 3}
    boxes = load("shapes-detection", **SMALL).train.targets
    assert set(np.unique(boxes[..., 0])) == {-1, 0, 1, 2}
    assert (boxes[boxes[..., 0] == -1, 1:] == 0).all()


@pytest.mark.parametrize("size", [16, 33, 64])
def test_any_image_size(size):
    data = load("shapes-detection", train_size=5, test_size=5, image_size=size)
    assert data.input_shape == (size, size, 3)
    assert data.train.targets[..., 1:].max() <= size


def test_translation_is_reversed_and_word_by_word():
    data = load("sequence-translation", **SMALL, words=9, length=6)
    dictionary = {}
    for sentence, said in zip(data.train.inputs.tolist(), data.train.targets.tolist(), strict=True):
        words = [token for token in sentence if token]
        assert said[0] == 1
        end = said.index(2)
        assert not any(said[end + 1 :])
        assert end == 1 + len(words)
        for word, translation in zip(words, reversed(said[1:end]), strict=True):
            assert dictionary.setdefault(word, translation) == translation
    assert sorted(dictionary.values()) == list(range(3, 12))


def test_no_test_sentence_is_a_training_sentence():
    data = load("sequence-translation", train_size=600, test_size=200, words=4, length=6)
    train, test = ({tuple(s) for s in part.inputs.tolist()} for part in (data.train, data.test))
    assert (len(train), len(test)) == (600, 200)
    assert not train & test


def test_refused(refused):
    assert "train_size is 0" in refused(load, "shapes-detection", train_size=0)
    assert "image_size is 8" in refused(load, "shapes-detection", image_size=8)
    assert "objects is 0" in refused(load, "shapes-detection", objects=0)
    assert "too few sentences" in refused(load, "sequence-translation", words=2, length=3)
    assert "length is 1" in refused(load, "sequence-translation", length=1)
