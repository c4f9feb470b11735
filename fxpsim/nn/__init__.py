"""Layers and initializers."""

from fxpsim.nn.activation import ReLU
from fxpsim.nn.convolution import Conv2d
from fxpsim.nn.initializers import he_uniform, ones, uniform, zeros
from fxpsim.nn.linear import Linear
from fxpsim.nn.module import Module, Sequential
from fxpsim.nn.parameter import Initializer, Parameter
from fxpsim.nn.pooling import AvgPool2d, Flatten, MaxPool2d

__all__ = [
    "AvgPool2d",
    "Conv2d",
    "Flatten",
    "Initializer",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "he_uniform",
    "ones",
    "uniform",
    "zeros",
]
