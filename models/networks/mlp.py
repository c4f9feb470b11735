"""Fully connected network with ReLU; LeNet-300-100 as it stands.

LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE, 1998, section
III.C.4 (there with sigmoids). For 28 x 28 x 1 inputs and 10 classes: 266,610 parameters (Han et al. 2015, table 1,
say 267 K), 266,200 MAdds a sample forward.
"""

import math

from fxpsim import nn


def build(
    *, input_shape: tuple[int, ...] = (28, 28, 1), classes: int = 10, hidden: tuple[int, ...] = (300, 100)
) -> nn.Module:
    """Return the network; ``hidden`` are the widths between input and output."""
    layers: dict[str, nn.Module] = {"flatten": nn.Flatten()}
    width = math.prod(input_shape)
    for index, size in enumerate(hidden, start=1):
        layers |= {f"fc{index}": nn.Linear(width, size), f"relu{index}": nn.ReLU()}
        width = size
    return nn.Sequential(**layers, output=nn.Linear(width, classes))
