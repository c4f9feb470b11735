"""A small convolutional network for small images: three convolutions with batch normalization, two full layers.

In the manner of Simonyan, Zisserman, "Very deep convolutional networks", ICLR 2015 (3 x 3 kernels, twice the channels
behind a pooling), much reduced: our own, so no published counts. For 28 x 28 x 1 inputs and 10 classes: 216,250
parameters, 1,669,632 MAdds a sample forward.
"""

from fxpsim import nn


def build(
    *, input_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10, width: int = 16, hidden: int = 128
) -> nn.Module:
    """Return the network; ``width`` channels in the first convolution, twice and twice as many in the others."""
    layers: dict[str, nn.Module] = {}
    rows, columns, channels = input_shape
    for index, outputs in enumerate((width, 2 * width, 2 * width), start=1):
        layers |= {
            f"conv{index}": nn.Conv2d(channels, outputs, kernel=3, padding=1, bias=False),
            f"bn{index}": nn.BatchNorm(outputs),
            f"relu{index}": nn.ReLU(),
        }
        if index < 3:
            layers[f"pool{index}"] = nn.MaxPool2d(2)
            rows, columns = rows // 2, columns // 2
        channels = outputs
    return nn.Sequential(
        **layers,
        flatten=nn.Flatten(),
        fc1=nn.Linear(rows * columns * channels, hidden),
        relu4=nn.ReLU(),
        fc2=nn.Linear(hidden, classes),
    )
