"""Residual networks for 32 x 32 images: ResNet-20, 38, 56, 74 and all others of 6 n + 2 layers.

He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2. A 3 x 3 convolution to
16 channels, three stages of n blocks with 16, 32, 64 channels, global average pooling, one fully connected layer.
Shortcuts that change the shape take option A (every other pixel, zeros for the new channels: no parameters) as in the
paper, or option B (a 1 x 1 convolution with batch normalization). ResNet-20 for 32 x 32 x 3 and 10 classes, option A:
269,722 parameters (the paper's table 6 says 0.27 M), 40,551,040 MAdds a sample forward.
"""

# ruff: noqa: D102  (Module says what forward does)

from fxpsim import nn
from fxpsim.autodiff import Tensor, ops


class Shortcut(nn.Module):
    """Option A: every other pixel, and zeros for the channels that the input does not have."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        self.stride, self.before = stride, (outputs - inputs) // 2
        self.after = outputs - inputs - self.before

    def forward(self, x: Tensor) -> Tensor:
        step = slice(None, None, self.stride)
        x = ops.take(x, index=(slice(None), step, step, slice(None)))
        return ops.pad(x, widths=((0, 0), (0, 0), (0, 0), (self.before, self.after)))


class Projection(nn.Module):
    """Option B: a 1 x 1 convolution and batch normalization."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        self.conv = nn.Conv2d(inputs, outputs, kernel=1, stride=stride, bias=False)
        self.bn = nn.BatchNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, variant: str) -> None:
        self.conv1 = nn.Conv2d(inputs, outputs, kernel=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, kernel=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = (Shortcut if variant == "A" else Projection)(inputs, outputs, stride)

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
    variant: str = "A",
) -> nn.Module:
    """Return the network of ``depth`` layers (6 n + 2); its stages are ``width`` x 1, 2, 4 channels wide."""
    if (depth - 2) % 6 or depth < 8:
        raise ValueError(f"depth is {depth}; it must be 6 n + 2: 8, 14, 20, 26, 32, 38, 44, 56, 74, 110 ...")
    if variant not in ("A", "B"):
        raise ValueError(f"variant is {variant!r}; the shortcuts are 'A' (zeros) or 'B' (projection)")
    blocks: dict[str, nn.Module] = {}
    channels = width
    for stage in range(3):
        for index in range((depth - 2) // 6):
            stride = 2 if stage > 0 and index == 0 else 1
            outputs = width * 2**stage
            blocks[f"stage{stage + 1}_block{index + 1}"] = Block(channels, outputs, stride, variant)
            channels = outputs
    return nn.Sequential(
        conv=nn.Conv2d(input_shape[2], width, kernel=3, padding=1, bias=False),
        bn=nn.BatchNorm(width),
        relu=nn.ReLU(),
        **blocks,
        pool=nn.GlobalAvgPool2d(),
        fc=nn.Linear(channels, classes),
    )
