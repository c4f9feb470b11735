"""A user's own arrays, and OpenML without a network."""

from types import SimpleNamespace

import numpy as np
import pytest

from fxpsim.data import InputKind, load

FEATURES = np.random.default_rng(0).normal(5, 2, (50, 3))
LABELS = np.array(["no", "yes"])[np.arange(50) % 2]


def save(files, **arrays):
    np.savez(files.folder / "a.npz", **arrays)
    return files.folder / "a.npz"


def test_features_become_bytes_and_labels_classes(files):
    data = load("npz", save(files, x_train=FEATURES, y_train=LABELS))
    assert (data.kind, data.classes, data.class_names) == (InputKind.FEATURES, 2, ("no", "yes"))
    assert (len(data.train), len(data.test)) == (40, 10)
    assert data.train.inputs.min(axis=0).tolist() == [0, 0, 0]
    assert data.train.inputs.max(axis=0).tolist() == [255, 255, 255]
    assert data.input_offset.shape == (3,)


def test_own_split_and_order_are_kept(files):
    images = np.random.default_rng(1).integers(0, 256, (9, 4, 4, 1), dtype=np.uint8)
    path = save(files, x_train=images[:6], y_train=np.arange(6), x_test=images[6:], y_test=np.arange(3))
    data = load("npz", path)
    assert data.kind is InputKind.IMAGE
    assert np.array_equal(data.test.inputs, images[6:])
    assert data.train.targets.tolist() == list(range(6))
    flat = save(files, x_train=images.reshape(9, 16), y_train=np.arange(9))
    assert load("npz", flat, shape=[4, 4, 1]).input_shape == (4, 4, 1)


def test_refused(files, refused):
    broken = FEATURES.copy()
    broken[4, 2] = np.nan
    assert "element (4, 2) is nan" in refused(load, "npz", save(files, x_train=broken, y_train=LABELS))
    assert "NaN" in refused(load, "npz", save(files, x_train=FEATURES, y_train=np.full(50, np.nan)))
    assert "holds x_train" in refused(load, "npz", save(files, x_train=FEATURES))
    assert "(49,)" in refused(load, "npz", save(files, x_train=FEATURES, y_train=LABELS[:-1]))
    assert "shape is" in refused(
        load, "npz", save(files, x_train=FEATURES.astype("u1"), y_train=LABELS), shape=[2, 2, 1]
    )
    assert "cannot read" in refused(load, "npz", save(files, x_train=np.array([{}], object), y_train=LABELS[:1]))
    assert "cannot read" in refused(load, "npz", files.write("a.npz", b"no zip"))
    assert "cannot read" in refused(load, "npz", files.folder, file="nothing.npz")


@pytest.fixture
def openml(monkeypatch):
    """Stand in for the network; return what scikit-learn was asked for."""
    asked = {}

    def fetch_openml(**options):
        asked.update(options)
        if options["name"] == "offline":
            raise OSError("no route to host")
        return SimpleNamespace(data=FEATURES, target=LABELS)

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch_openml)
    return asked


def test_openml_by_name(openml, files):
    data = load("openml:blood", files.folder, version=2)
    assert (data.name, data.classes, len(data.test)) == ("openml:blood", 2, 10)
    assert (openml["name"], openml["version"], openml["data_home"]) == ("blood", 2, files.folder)


def test_openml_without_network(openml, refused):
    assert "no route to host" in refused(load, "openml:offline")
