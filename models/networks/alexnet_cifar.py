"""AlexNet in its common form for CIFAR: the five convolutions with fewer strides, one fully connected layer.

After Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", NeurIPS 2012, in
the form of W. Yang's pytorch-classification, which later work on quantized training uses. For 32 x 32 x 3 inputs and
10 classes: 2,472,266 parameters (2.47 M there), 14,957,056 MAdds a sample forward.
"""

from fxpsim import nn


def build(*, input_shape: tuple[int, int, int] = (32, 32, 3), classes: int = 10) -> nn.Module:
    """Return the network."""
    rows, columns = (size // 4 // 2 // 2 // 2 for size in input_shape[:2])
    return nn.Sequential(
        conv1=nn.Conv2d(input_shape[2], 64, kernel=11, stride=4, padding=5),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(64, 192, kernel=5, padding=2),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        conv3=nn.Conv2d(192, 384, kernel=3, padding=1),
        relu3=nn.ReLU(),
        conv4=nn.Conv2d(384, 256, kernel=3, padding=1),
        relu4=nn.ReLU(),
        conv5=nn.Conv2d(256, 256, kernel=3, padding=1),
        relu5=nn.ReLU(),
        pool5=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc=nn.Linear(rows * columns * 256, classes),
    )
