"""LeNet-5 with batch normalization and a gate before every inner layer: our adaptation of FracTrain's gates.

Fu et al., "FracTrain", NeurIPS 2020, gate the residual blocks of deeper networks; here a block is the second
convolution or a fully connected layer, with its normalization, activation and pooling. The layers are those of
lenet5_norm; the first convolution and the last layer take no part, as published.
"""

from fxpsim import nn


def build(*, input_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10, candidates: int = 5) -> nn.Module:
    """Return the network; images of less than 20 x 20 pixels take 3 x 3 kernels with padding, as in lenet5."""
    height, width, channels = input_shape
    if min(height, width) >= 20:
        first, second = {"kernel": 5, "padding": 2}, {"kernel": 5}
        rows, columns = (height // 2 - 4) // 2, (width // 2 - 4) // 2
    else:
        first, second = {"kernel": 3, "padding": 1}, {"kernel": 3, "padding": 1}
        rows, columns = height // 2 // 2, width // 2 // 2
    features = rows * columns * 16
    blocks = {
        "block1": nn.Sequential(
            conv2=nn.Conv2d(6, 16, bias=False, **second),
            norm2=nn.BatchNorm(16),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
        ),
        "block2": nn.Sequential(fc1=nn.Linear(features, 120, bias=False), norm3=nn.BatchNorm(120), relu3=nn.ReLU()),
        "block3": nn.Sequential(fc2=nn.Linear(120, 84, bias=False), norm4=nn.BatchNorm(84), relu4=nn.ReLU()),
    }
    return nn.Sequential(
        conv1=nn.Conv2d(channels, 6, bias=False, **first),
        norm1=nn.BatchNorm(6),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        blocks=nn.Gated(blocks, [6, features, 120], candidates=candidates),
        fc3=nn.Linear(84, classes),
    )
