"""CIFAR in both distributions."""

import numpy as np
import pytest

from fxpsim.data import load

PLANES = np.random.default_rng(3).integers(0, 256, (12, 3072), dtype=np.uint8)
LABELS = [int(label) for label in np.arange(12) % 10]
CIFAR10 = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]


def python_batches(files, changes=None, suffix=""):
    batch = {b"data": PLANES, b"labels": LABELS, b"batch_label": b"one", b"filenames": [b"a.png"]} | (changes or {})
    for name in CIFAR10:
        files.pickle(f"cifar-10-batches-py/{name}{suffix}", batch)


def binary_batches(files, folder="."):
    records = np.concatenate([np.array(LABELS, np.uint8)[:, np.newaxis], PLANES], axis=1)
    for name in CIFAR10:
        files.write(f"{folder}/{name}.bin", records.tobytes())


def check(data):
    assert data.train.inputs.shape == (60, 32, 32, 3)
    assert data.test.inputs.shape == (12, 32, 32, 3)
    # plane by plane in the file, channel last here
    assert np.array_equal(data.test.inputs[5, :, :, 1].ravel(), PLANES[5, 1024:2048])
    assert data.test.targets.tolist() == LABELS
    assert data.input_offset.shape == (3,)


@pytest.mark.parametrize("suffix", ["", ".xz", ".gz"])
def test_python_distribution(files, suffix):
    python_batches(files, suffix=suffix)
    check(load("cifar10", files.folder))
    check(load("cifar10", files.folder / "cifar-10-batches-py"))


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_any_protocol_and_order_in_memory(files, protocol):
    for name in CIFAR10:
        files.pickle(name, {b"data": np.asfortranarray(PLANES), b"labels": LABELS}, protocol=protocol)
    check(load("cifar10", files.folder))


@pytest.mark.parametrize("folder", [".", "cifar-10-batches-bin"])
def test_binary_distribution(files, folder):
    binary_batches(files, folder)
    check(load("cifar10", files.folder))


def test_cifar100_fine_and_coarse(files, refused):
    fine, coarse = list(range(88, 100)), list(range(8, 20))
    for name in ("train", "test"):
        files.pickle(name, {b"data": PLANES, b"fine_labels": fine, b"coarse_labels": coarse})
        records = np.concatenate([np.array([coarse, fine], np.uint8).T, PLANES], axis=1)
        files.write(f"binary/{name}.bin", records.tobytes())
    for folder in (files.folder, files.folder / "binary"):
        data = load("cifar100", folder)
        assert (data.classes, data.train.targets.tolist()) == (100, fine)
        data = load("cifar100", folder, labels="coarse")
        assert (data.classes, data.train.targets.tolist()) == (20, coarse)
    assert "did you mean 'coarse'" in refused(load, "cifar100", files.folder, labels="corse")


def test_missing_batch(files, refused):
    python_batches(files)
    (files.folder / "cifar-10-batches-py/data_batch_4").unlink()
    assert "data_batch_4" in refused(load, "cifar10", files.folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({b"labels": LABELS[:-1]}, "11 labels for 12 samples"),
        ({b"labels": [10] * 12}, "label 0 is 10"),
        ({b"labels": [b"cat"] * 12}, "labels are |S3"),
        ({b"data": PLANES[:, :-1]}, "uint8(12, 3071)"),
        ({b"data": PLANES.astype(float)}, "float64(12, 3072)"),
        ({b"data": b"text"}, "the batch holds"),
    ],
)
def test_wrong_content(files, refused, changes, said):
    python_batches(files, changes)
    assert said in refused(load, "cifar10", files.folder)


def test_cut_off_binary(files, refused):
    binary_batches(files)
    path = files.folder / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-1])
    assert "multiple of 3073" in refused(load, "cifar10", files.folder)
