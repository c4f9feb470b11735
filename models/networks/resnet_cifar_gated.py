"""Residual networks for small images with gates that choose the word lengths of every block (FracTrain's DFQ).

The network of resnet_cifar (He et al. 2016, section 4.2; shortcuts of zeros) with the gates of Fu et al., "FracTrain",
NeurIPS 2020, beside its blocks: mean over space, 32 units with ReLU, 16 units, one long short-term memory of 16 units
for all blocks, a share for every candidate. Under a method without gates it is resnet_cifar with idle gates. Published
networks take 1 x 1 convolutions as shortcuts.
"""

# ruff: noqa: D102  (Module says what forward does)

from fxpsim import nn
from fxpsim.autodiff import Tensor, ops


class Shortcut(nn.Module):
    """Every other pixel, and zeros for the channels that the input does not have."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        self.stride, self.before = stride, (outputs - inputs) // 2
        self.after = outputs - inputs - self.before

    def forward(self, x: Tensor) -> Tensor:
        step = slice(None, None, self.stride)
        x = ops.take(x, index=(slice(None), step, step, slice(None)))
        return ops.pad(x, widths=((0, 0), (0, 0), (0, 0), (self.before, self.after)))


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        self.conv1 = nn.Conv2d(inputs, outputs, kernel=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, kernel=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm(outputs)
        self.shortcut = Shortcut(inputs, outputs, stride) if stride != 1 or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        y = ops.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return ops.relu(y + (x if self.shortcut is None else self.shortcut(x)))


def build(
    *,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    classes: int = 10,
    depth: int = 20,
    width: int = 16,
    candidates: int = 5,
) -> nn.Module:
    """Return the network of ``depth`` layers (6 n + 2) whose gates choose from ``candidates`` pairs of word lengths."""
    if (depth - 2) % 6 or depth < 8:
        raise ValueError(f"depth is {depth}; it must be 6 n + 2: 8, 14, 20, 26, 32, 38, 44, 56, 74, 110 ...")
    blocks: dict[str, nn.Module] = {}
    inputs = []
    channels = width
    for stage in range(3):
        for index in range((depth - 2) // 6):
            outputs = width * 2**stage
            inputs.append(channels)
            blocks[f"stage{stage + 1}_block{index + 1}"] = Block(channels, outputs, 1 + (stage > 0 and index == 0))
            channels = outputs
    return nn.Sequential(
        conv=nn.Conv2d(input_shape[2], width, kernel=3, padding=1, bias=False),
        bn=nn.BatchNorm(width),
        relu=nn.ReLU(),
        blocks=nn.Gated(blocks, inputs, candidates=candidates),
        pool=nn.GlobalAvgPool2d(),
        fc=nn.Linear(channels, classes),
    )
