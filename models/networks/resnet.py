"""Residual networks for large images: ResNet-18, 34 and 50.

He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, table 1, shortcuts of option B. The
bottleneck strides in its 3 x 3 convolution, as in torchvision. For 224 x 224 x 3 inputs and 1000 classes:

=====  ===========  =================  ============================
depth  parameters   MAdds a sample     published
=====  ===========  =================  ============================
18     11,689,512   1,814,073,344      1.8 G (table 1), 11.69 M
34     21,797,672   3,663,761,408      3.6 G (table 1), 21.80 M
50     25,557,032   4,089,184,256      4.09 G (torchvision), 25.56 M
=====  ===========  =================  ============================
"""

# ruff: noqa: D102  (Module says what forward does)

from fxpsim import nn
from fxpsim.autodiff import Tensor, ops

DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


class Projection(nn.Module):
    """A 1 x 1 convolution and batch normalization."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        self.conv = nn.Conv2d(inputs, outputs, kernel=1, stride=stride, bias=False)
        self.bn = nn.BatchNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class Basic(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        self.conv1 = nn.Conv2d(inputs, width, kernel=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm(width)
        self.conv2 = nn.Conv2d(width, width, kernel=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm(width)
        self.shortcut = Projection(inputs, width, stride) if stride != 1 or inputs != width else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(ops.relu(self.bn1(self.conv1(x)))))
        return ops.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, kernel=1, bias=False)
        self.bn1 = nn.BatchNorm(width)
        self.conv2 = nn.Conv2d(width, width, kernel=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm(width)
        self.conv3 = nn.Conv2d(width, outputs, kernel=1, bias=False)
        self.bn3 = nn.BatchNorm(outputs)
        self.shortcut = Projection(inputs, outputs, stride) if stride != 1 or inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        y = ops.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(ops.relu(self.bn2(self.conv2(y)))))
        return ops.relu(y + (x if self.shortcut is None else self.shortcut(x)))


def build(*, input_shape: tuple[int, int, int] = (224, 224, 3), classes: int = 1000, depth: int = 18) -> nn.Module:
    """Return the network of ``depth`` 18, 34 or 50."""
    if depth not in DEPTHS:
        raise ValueError(f"depth is {depth}; it must be one of {', '.join(map(str, DEPTHS))}")
    kind = Bottleneck if depth >= 50 else Basic
    blocks: dict[str, nn.Module] = {}
    channels = 64
    for stage, count in enumerate(DEPTHS[depth]):
        width = 64 * 2**stage
        for index in range(count):
            stride = 2 if stage and not index else 1
            blocks[f"stage{stage + 1}_block{index + 1}"] = kind(channels, width, stride)
            channels = width * kind.expansion
    return nn.Sequential(
        conv=nn.Conv2d(input_shape[2], 64, kernel=7, stride=2, padding=3, bias=False),
        bn=nn.BatchNorm(64),
        relu=nn.ReLU(),
        maxpool=nn.MaxPool2d(3, stride=2, padding=1),
        **blocks,
        pool=nn.GlobalAvgPool2d(),
        fc=nn.Linear(channels, classes),
    )
