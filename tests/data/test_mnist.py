"""IDX files: what is read, and what is refused."""

import gzip

import numpy as np
import pytest

from fxpsim.data import InputKind, load

TRAIN_IMAGES = "train-images-idx3-ubyte"


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
@pytest.mark.parametrize("separator", ["-", "."])
def test_reads_what_was_written(files, suffix, separator):
    content = files.mnist(suffix=suffix, separator=separator)
    data = load("mnist", files.folder)
    assert np.array_equal(data.train.inputs[..., 0], content["train-images"])
    assert np.array_equal(data.test.inputs[..., 0], content["t10k-images"])
    assert np.array_equal(data.train.targets, content["train-labels"])
    assert data.train.inputs.dtype == np.uint8
    assert data.train.targets.dtype == np.int32
    assert (data.kind, data.classes, data.input_shape) == (InputKind.IMAGE, 10, (28, 28, 1))


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "mnist"), ("mnist", "MNIST/raw"), ("fashion-mnist", "FashionMNIST/raw")]
)
def test_the_parent_of_the_folder_will_do(files, name, folder):
    files.mnist(folder)
    assert len(load(name, files.folder).train) == 20


def test_needs_a_directory(refused):
    assert "--data-dir" in refused(load, "mnist")


def test_missing_directory(files, refused):
    assert "nowhere" in refused(load, "mnist", files.folder / "nowhere")
    # also for a set that needs none: the path was a mistake all the same
    assert "nowhere" in refused(load, "digits", files.folder / "nowhere")


def test_missing_file_lists_the_names_looked_for(files, refused):
    message = refused(load, "mnist", files.folder)
    assert all(name in message for name in (TRAIN_IMAGES, TRAIN_IMAGES + ".gz", "train-images.idx3-ubyte"))
    assert str(files.folder) in message


@pytest.mark.parametrize("keep", [0, 3, 9, 100, -1])
def test_cut_off(files, refused, keep):
    files.mnist()
    path = files.folder / TRAIN_IMAGES
    path.write_bytes(path.read_bytes()[:keep])
    assert str(path) in refused(load, "mnist", files.folder)


def test_longer_than_the_header_says(files, refused):
    files.mnist()
    path = files.folder / TRAIN_IMAGES
    path.write_bytes(path.read_bytes() + b"\0")
    assert "15697 bytes" in refused(load, "mnist", files.folder)


@pytest.mark.parametrize("damage", [lambda raw: raw[:-200], lambda raw: raw[:500] + b"xx" + raw[502:], lambda _: b"no"])
@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_damaged_compression(files, refused, suffix, damage):
    files.mnist(suffix=suffix)
    path = files.folder / (TRAIN_IMAGES + suffix)
    path.write_bytes(damage(path.read_bytes()))
    assert "cannot decompress" in refused(load, "mnist", files.folder)


def test_wrong_magic(files, refused):
    files.mnist()
    files.write(TRAIN_IMAGES, gzip.compress(b"compressed, but named as if it were not"))
    assert "1f 8b 08" in refused(load, "mnist", files.folder)


def test_images_and_labels_exchanged(files, refused):
    content = files.mnist()
    files.idx(TRAIN_IMAGES, content["train-labels"])
    assert "1 dimensions" in refused(load, "mnist", files.folder)


def test_label_count(files, refused):
    content = files.mnist()
    files.idx("train-labels-idx1-ubyte", content["t10k-labels"])
    assert "10 labels for 20 samples" in refused(load, "mnist", files.folder)


def test_label_out_of_range(files, refused):
    labels = files.mnist()["train-labels"].copy()
    labels[3] = 10
    files.idx("train-labels-idx1-ubyte", labels)
    assert "label 3 is 10" in refused(load, "mnist", files.folder)


def test_no_samples(files, refused):
    files.mnist()
    files.idx(TRAIN_IMAGES, np.zeros((0, 28, 28), np.uint8))
    files.idx("train-labels-idx1-ubyte", np.zeros(0, np.uint8))
    assert "no samples" in refused(load, "mnist", files.folder)


def test_float_pixels_are_read_if_they_are_bytes(files):
    content = files.mnist()
    files.idx(TRAIN_IMAGES, content["train-images"].astype("f4"))
    assert np.array_equal(load("mnist", files.folder).train.inputs[..., 0], content["train-images"])


@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "nan"), (np.inf, "inf"), (0.5, "0.5"), (256.0, "256"), (-1, "-1")]
)
def test_pixels_that_are_no_bytes(files, refused, value, said):
    pixels = files.mnist()["train-images"].astype("f4")
    pixels[2, 1, 3] = value
    files.idx(TRAIN_IMAGES, pixels)
    assert f"element (2, 1, 3) is {said}" in refused(load, "mnist", files.folder)
