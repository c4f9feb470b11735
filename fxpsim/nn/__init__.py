"""Layers and initializers."""

from fxpsim.nn.activation import ReLU
from fxpsim.nn.convolution import Conv2d
from fxpsim.nn.initializers import he_uniform, ones, uniform, zeros
from fxpsim.nn.linear import Linear
from fxpsim.nn.module import Module, Sequential
from fxpsim.nn.normalization import BatchNorm
from fxpsim.nn.parameter import Buffer, Initializer, Parameter
from fxpsim.nn.pooling import AvgPool2d, Flatten, GlobalAvgPool2d, MaxPool2d

__all__ = [
    "AvgPool2d",
    "BatchNorm",
    "Buffer",
    "Conv2d",
    "Flatten",
    "GlobalAvgPool2d",
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
