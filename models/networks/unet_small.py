"""A small U-Net for segmentation: two levels down and up, 16 channels at the top.

Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, figure 1, with fewer levels and channels, padding instead of
cropping, and batch normalization: our own reduction, so no published counts. For 32 x 32 x 3 inputs and 4 classes:
117,412 parameters, 25,149,440 MAdds a sample forward.
"""

# ruff: noqa: D102  (Module says what forward does)

from fxpsim import nn
from fxpsim.autodiff import Tensor, ops


class Double(nn.Module):
    """Two 3 x 3 convolutions, each with batch normalization and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.conv1 = nn.Conv2d(inputs, outputs, kernel=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, kernel=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = ops.relu(self.bn1(self.conv1(x)))
        return ops.relu(self.bn2(self.conv2(x)))


class UNet(nn.Module):
    """Down, up again, and across."""

    def __init__(self, channels: int, classes: int, width: int) -> None:
        self.pool = nn.MaxPool2d(2)
        self.down1 = Double(channels, width)
        self.down2 = Double(width, 2 * width)
        self.bottom = Double(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, kernel=2, stride=2)
        self.join2 = Double(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, kernel=2, stride=2)
        self.join1 = Double(2 * width, width)
        self.output = nn.Conv2d(width, classes, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        high = self.down1(x)
        middle = self.down2(self.pool(high))
        low = self.bottom(self.pool(middle))
        middle = self.join2(ops.concatenate([middle, self.up2(low)], axis=3))
        high = self.join1(ops.concatenate([high, self.up1(middle)], axis=3))
        return self.output(high)


def build(*, input_shape: tuple[int, int, int] = (32, 32, 3), classes: int = 4, width: int = 16) -> nn.Module:
    """Return the network; it gives a row of logits for every pixel."""
    if any(size % 4 for size in input_shape[:2]):
        raise ValueError(f"images are {input_shape[0]} x {input_shape[1]}; both sizes must be multiples of 4")
    return UNet(input_shape[2], classes, width)
