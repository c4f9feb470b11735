"""LeNet-5 with batch normalization behind every layer but the last, for methods whose published networks have it.

After LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE, 1998, and
Ioffe and Szegedy, "Batch normalization", ICML 2015. The shape is that of lenet5 without the biases that normalization
would take away again. For 28 x 28 x 1 inputs and 10 classes: 61,932 parameters, 416,520 MAdds a sample forward.
"""

from fxpsim import nn
from fxpsim.nn import initializers

INITIALIZERS = {
    "he": initializers.he_uniform,
    "glorot": initializers.glorot_uniform,
    "wage": initializers.scaled_uniform(0.75),
}


class Same(nn.Module):
    """Nothing, in the place of a normalization."""

    def forward(self, x):
        """Return the input."""
        return x


def build(
    *,
    input_shape: tuple[int, int, int] = (28, 28, 1),
    classes: int = 10,
    normalize: bool = True,
    initializer: str = "he",
) -> nn.Module:
    """Return the network; images of less than 20 x 20 pixels take 3 x 3 kernels with padding, as in lenet5.

    Without ``normalize`` it has neither normalization nor any bias: what integer-only methods train.
    """
    if initializer not in INITIALIZERS:
        raise ValueError(f"initializer is {initializer!r}; one of: {', '.join(INITIALIZERS)}")
    start = {"initializer": INITIALIZERS[initializer], "bias": False}
    norm = nn.BatchNorm if normalize else lambda _: Same()
    height, width, channels = input_shape
    if min(height, width) >= 20:
        first, second = {"kernel": 5, "padding": 2}, {"kernel": 5}
        rows, columns = (height // 2 - 4) // 2, (width // 2 - 4) // 2
    else:
        first, second = {"kernel": 3, "padding": 1}, {"kernel": 3, "padding": 1}
        rows, columns = height // 2 // 2, width // 2 // 2
    return nn.Sequential(
        conv1=nn.Conv2d(channels, 6, **start, **first),
        norm1=norm(6),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, **start, **second),
        norm2=norm(16),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(rows * columns * 16, 120, **start),
        norm3=norm(120),
        relu3=nn.ReLU(),
        fc2=nn.Linear(120, 84, **start),
        norm4=norm(84),
        relu4=nn.ReLU(),
        fc3=nn.Linear(84, classes, **start | {"bias": normalize}),
    )
