"""A small single-shot detector: a stack of convolutions, and boxes from three of its scales.

Liu, Anguelov, Erhan, Szegedy, Reed, Fu, Berg, "SSD", ECCV 2016, section 2.1, much reduced: our own reconstruction, so
no published counts. Each cell of the 8 x 8, 4 x 4 and 2 x 2 maps has ``anchors`` boxes with a score for none and for
each class, and four offsets (top, left, bottom, right, in strides of the map) from the anchors: squares of 1.5, 2 and
3 strides around the middle of the cell. For 64 x 64 x 3 inputs, 3 classes and 3 anchors: 139,224 parameters,
4,700,160 MAdds a sample forward, 252 boxes.
"""

# ruff: noqa: D102  (Module says what forward does)

import math

from fxpsim import nn
from fxpsim.autodiff import Tensor, ops

STRIDES = (8, 16, 32)  # pixels between two cells of each map
SIDES = (3, 4, 6)  # of a cell's anchors, in half strides


class Stage(nn.Module):
    """A 3 x 3 convolution that halves the image, with batch normalization and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.conv = nn.Conv2d(inputs, outputs, kernel=3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return ops.relu(self.bn(self.conv(x)))


class Detector(nn.Module):
    """Boxes of three scales, one after the other."""

    def __init__(self, channels: int, classes: int, width: int, anchors: int, image: tuple[int, int]) -> None:
        self.outputs = classes + 1 + 4
        self.anchors = nn.Anchors.grid(image, STRIDES, SIDES[:anchors])
        self.stage1 = Stage(channels, width)
        self.stage2 = Stage(width, 2 * width)
        self.stage3 = Stage(2 * width, 4 * width)
        self.stage4 = Stage(4 * width, 4 * width)
        self.stage5 = Stage(4 * width, 4 * width)
        self.head3 = nn.Conv2d(4 * width, anchors * self.outputs, kernel=3, padding=1)
        self.head4 = nn.Conv2d(4 * width, anchors * self.outputs, kernel=3, padding=1)
        self.head5 = nn.Conv2d(4 * width, anchors * self.outputs, kernel=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        third = self.stage3(self.stage2(self.stage1(x)))
        fourth = self.stage4(third)
        fifth = self.stage5(fourth)
        parts = [self.head3(third), self.head4(fourth), self.head5(fifth)]
        return ops.concatenate([self._boxes(part) for part in parts], axis=1)

    def _boxes(self, x: Tensor) -> Tensor:
        return ops.reshape(x, shape=(x.shape[0], math.prod(x.shape[1:]) // self.outputs, self.outputs))


def build(
    *, input_shape: tuple[int, int, int] = (64, 64, 3), classes: int = 3, width: int = 16, anchors: int = 3
) -> nn.Module:
    """Return the network; its result is (N, boxes, classes + 1 + 4), the scores before the offsets."""
    rows, columns, channels = input_shape
    if rows % STRIDES[-1] or columns % STRIDES[-1]:
        raise ValueError(f"images are {rows} x {columns}; both sizes must be multiples of {STRIDES[-1]}")
    if not 1 <= anchors <= len(SIDES):
        raise ValueError(f"{anchors} anchors; a cell has 1 to {len(SIDES)}")
    return Detector(channels, classes, width, anchors, (rows, columns))
