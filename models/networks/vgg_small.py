"""VGG-small: six convolutions with batch normalization and one fully connected layer, for CIFAR.

Zhang, Yang, Ye, Hua, "LQ-Nets", ECCV 2018, section 5.1, after Cai et al. 2017: the network of much work on low-bit
training. For 32 x 32 x 3 inputs and 10 classes: 4,660,106 parameters (published as 4.6 M), 607,600,640 MAdds a sample
forward (published as 0.61 G).
"""

from fxpsim import nn


def build(*, input_shape: tuple[int, int, int] = (32, 32, 3), classes: int = 10, width: int = 128) -> nn.Module:
    """Return the network; ``width`` channels in its first stage, then twice and four times as many."""
    layers: dict[str, nn.Module] = {}
    channels = input_shape[2]
    for index in range(6):
        outputs = width * 2 ** (index // 2)
        layers[f"conv{index + 1}"] = nn.Conv2d(channels, outputs, kernel=3, padding=1, bias=False)
        layers[f"bn{index + 1}"] = nn.BatchNorm(outputs)
        layers[f"relu{index + 1}"] = nn.ReLU()
        if index % 2:
            layers[f"pool{index + 1}"] = nn.MaxPool2d(2)
        channels = outputs
    rows, columns = (size // 8 for size in input_shape[:2])
    return nn.Sequential(**layers, flatten=nn.Flatten(), fc=nn.Linear(rows * columns * channels, classes))
