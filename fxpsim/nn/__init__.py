"""Layers and initializers."""

from fxpsim.nn.activation import GELU, Dropout, LeakyReLU, ReLU, ReLU6, Sigmoid, SiLU, Softmax, Tanh
from fxpsim.nn.attention import MultiHeadAttention, Product
from fxpsim.nn.boxes import Anchors
from fxpsim.nn.convolution import Conv2d, ConvTranspose2d
from fxpsim.nn.embedding import Embedding, token_ids
from fxpsim.nn.gating import Gated, Gates
from fxpsim.nn.initializers import glorot_uniform, he_uniform, ones, scaled_uniform, uniform, zeros
from fxpsim.nn.linear import Linear
from fxpsim.nn.losses import masked_cross_entropy, multibox_loss, squared_error
from fxpsim.nn.module import Module, Sequential
from fxpsim.nn.normalization import BatchNorm, GroupNorm, LayerNorm
from fxpsim.nn.parameter import Buffer, Initializer, Parameter
from fxpsim.nn.pooling import AvgPool2d, Flatten, GlobalAvgPool2d, MaxPool2d
from fxpsim.nn.recurrent import GRU, LSTM, RNN
from fxpsim.nn.size import Size, measure

__all__ = [
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "Anchors",
    "AvgPool2d",
    "BatchNorm",
    "Buffer",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "Gated",
    "Gates",
    "GlobalAvgPool2d",
    "GroupNorm",
    "Initializer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Module",
    "MultiHeadAttention",
    "Parameter",
    "Product",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Size",
    "Softmax",
    "Tanh",
    "glorot_uniform",
    "he_uniform",
    "masked_cross_entropy",
    "measure",
    "multibox_loss",
    "ones",
    "scaled_uniform",
    "squared_error",
    "token_ids",
    "uniform",
    "zeros",
]
