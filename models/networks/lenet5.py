"""LeNet-5 in its common form: ReLU, max pooling, three fully connected layers.

After LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE, 1998.
Differences: ReLU instead of scaled tanh, max pooling instead of trainable sub-sampling, a full second convolution and a
softmax output. For 28 x 28 x 1 inputs and 10 classes: 61,706 parameters, 416,520 MAdds a sample forward.
"""

from fxpsim import nn


def build(*, input_shape: tuple[int, int, int] = (28, 28, 1), classes: int = 10) -> nn.Module:
    """Return the network.

    Images of at least 20 x 20 pixels take the classical form (5 x 5 kernels, two poolings). Smaller ones, such as
    scikit-learn's 8 x 8 digits, take 3 x 3 kernels with padding.
    """
    height, width, channels = input_shape
    if min(height, width) >= 20:
        first, second = {"kernel": 5, "padding": 2}, {"kernel": 5}
        rows, columns = (height // 2 - 4) // 2, (width // 2 - 4) // 2
    else:
        first, second = {"kernel": 3, "padding": 1}, {"kernel": 3, "padding": 1}
        rows, columns = height // 2 // 2, width // 2 // 2
    return nn.Sequential(
        conv1=nn.Conv2d(channels, 6, **first),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, **second),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(rows * columns * 16, 120),
        relu3=nn.ReLU(),
        fc2=nn.Linear(120, 84),
        relu4=nn.ReLU(),
        fc3=nn.Linear(84, classes),
    )
