"""MobileNetV2: inverted residuals with linear bottlenecks.

Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2", CVPR 2018, table 2. For 224 x 224 x 3 inputs and 1000 classes:
3,504,872 parameters and 300,774,272 MAdds a sample forward (the paper's table 4: 3.4 M and 300 M). Small images
(below 64 pixels) keep their size in the first convolution and the second stage.
"""

# ruff: noqa: D102  (Module says what forward does)

from fxpsim import nn
from fxpsim.autodiff import Tensor

# expansion, channels, repeats, stride
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class ConvNorm(nn.Module):
    """Convolution, batch normalization, and ReLU6 unless linear."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        padding = (kernel - 1) // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel=kernel, stride=stride, padding=padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm(outputs)
        self.act = None if linear else nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn(self.conv(x))
        return y if self.act is None else self.act(y)


class Inverted(nn.Module):
    """Widen, convolve each channel by itself, narrow; a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        width = inputs * expansion
        self.expand = ConvNorm(inputs, width, 1) if expansion != 1 else None
        self.depthwise = ConvNorm(width, width, 3, stride, groups=width)
        self.project = ConvNorm(width, outputs, 1, linear=True)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.residual else y


def build(*, input_shape: tuple[int, int, int] = (224, 224, 3), classes: int = 1000, dropout: float = 0.2) -> nn.Module:
    """Return the network."""
    small = min(input_shape[:2]) < 64
    blocks: dict[str, nn.Module] = {}
    channels = 32
    for stage, (expansion, outputs, repeats, stride) in enumerate(STAGES, start=1):
        for index in range(repeats):
            step = 1 if index or (small and stage == 2) else stride
            blocks[f"stage{stage}_block{index + 1}"] = Inverted(channels, outputs, step, expansion)
            channels = outputs
    return nn.Sequential(
        first=ConvNorm(input_shape[2], 32, 3, 1 if small else 2),
        **blocks,
        last=ConvNorm(channels, 1280, 1),
        pool=nn.GlobalAvgPool2d(),
        dropout=nn.Dropout(dropout),
        fc=nn.Linear(1280, classes),
    )
