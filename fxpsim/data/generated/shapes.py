"""Images of colored shapes on a noisy ground, to segment or to detect."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fxpsim.data.dataset import Dataset, InputKind, Split, Task
from fxpsim.data.generated.integers import Integers
from fxpsim.data.registry import datasets, positive
from fxpsim.errors import UserError

_CLASSES = ("square", "disk", "triangle")
_NOISE = 24  # codes: the ground and the shapes vary by this much from pixel to pixel


@dataclass(frozen=True, kw_only=True)
class _Scenes:
    """Images with, for each, the class of every pixel and the box of every shape."""

    images: np.ndarray  # uint8 (N, S, S, 3)
    masks: np.ndarray  # int32 (N, S, S): 0 ground, 1 + class
    boxes: np.ndarray  # int32 (N, objects, 5): class or -1, top, left, bottom, right (exclusive)


@datasets.register("shapes-segmentation")
def shapes_segmentation(
    data_dir: Path | None = None,
    *,
    train_size: int = 2000,
    test_size: int = 400,
    image_size: int = 32,
    objects: int = 3,
    seed: int = 0,
) -> Dataset:
    """Return images with up to ``objects`` shapes, and the class of each pixel (0 is the ground)."""
    train, test = _parts(
        "shapes-segmentation",
        image_size=image_size,
        objects=objects,
        seed=seed,
        train_size=train_size,
        test_size=test_size,
    )
    return Dataset.scaled(
        name="shapes-segmentation",
        train=Split(inputs=train.images, targets=train.masks),
        test=Split(inputs=test.images, targets=test.masks),
        classes=1 + len(_CLASSES),
        kind=InputKind.IMAGE,
        task=Task.SEGMENTATION,
        class_names=("ground", *_CLASSES),
        source=f"generated, seed {seed}",
    )


@datasets.register("shapes-detection")
def shapes_detection(
    data_dir: Path | None = None,
    *,
    train_size: int = 2000,
    test_size: int = 400,
    image_size: int = 32,
    objects: int = 3,
    seed: int = 0,
) -> Dataset:
    """Return images with up to ``objects`` shapes, and of each shape (class, top, left, bottom, right) in pixels.

    Bottom and right are exclusive; rows of class -1 fill up the images with fewer shapes.
    """
    train, test = _parts(
        "shapes-detection",
        image_size=image_size,
        objects=objects,
        seed=seed,
        train_size=train_size,
        test_size=test_size,
    )
    return Dataset.scaled(
        name="shapes-detection",
        train=Split(inputs=train.images, targets=train.boxes),
        test=Split(inputs=test.images, targets=test.boxes),
        classes=len(_CLASSES),
        kind=InputKind.IMAGE,
        task=Task.DETECTION,
        class_names=_CLASSES,
        source=f"generated, seed {seed}",
    )


def _parts(name: str, *, image_size: int, objects: int, seed: int, **sizes: int) -> list[_Scenes]:
    """Draw one set of scenes for each of ``sizes``."""
    if image_size < 16:
        raise UserError(
            f"image_size is {image_size}",
            where=f"data set {name!r}",
            expected="at least 16 pixels",
            remedy="choose larger images",
        )
    positive("objects", objects, name)
    return [
        _draw(Integers(seed, part), positive(option, size, name), image_size, objects)
        for part, (option, size) in enumerate(sizes.items())
    ]


def _draw(random: Integers, count: int, size: int, objects: int) -> _Scenes:
    images = random.below(_NOISE, (count, size, size, 3)) + random.below(96, (count, 1, 1, 3))
    masks = np.zeros((count, size, size), np.int32)
    boxes = np.full((count, objects, 5), (-1, 0, 0, 0, 0), np.int32)
    row, column = np.arange(size)[:, np.newaxis], np.arange(size)
    shapes = 1 + random.below(objects, (count,))
    for image in range(count):
        for index in range(shapes[image]):
            kind = int(random.below(len(_CLASSES), ()))
            side = size // 4 + int(random.below(size // 4, ()))
            top, left = random.below(size - side + 1, (2,)).tolist()
            inside = _inside(kind, row - top, column - left, side)
            # a later shape may hide an earlier one; its box stays that of the whole shape
            images[image][inside] = 100 + random.below(130, (3,)) + random.below(_NOISE, (int(inside.sum()), 3))
            masks[image][inside] = 1 + kind
            boxes[image, index] = kind, top, left, top + side, left + side
    return _Scenes(images=images.astype(np.uint8), masks=masks, boxes=boxes)


def _inside(kind: int, row: np.ndarray, column: np.ndarray, side: int) -> np.ndarray:
    """Return which pixels a shape of ``side`` pixels covers; its box begins at (0, 0)."""
    box = (row >= 0) & (row < side) & (column >= 0) & (column < side)
    match _CLASSES[kind]:
        case "square":
            return box
        case "disk":
            return box & ((2 * row - side + 1) ** 2 + (2 * column - side + 1) ** 2 <= side * side)
        case _:  # triangle, tip above: a row is as wide as it is far from the tip
            return box & (abs(2 * column - side + 1) <= row + 1)
