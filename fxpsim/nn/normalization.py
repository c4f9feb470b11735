"""Normalization layers."""

from __future__ import annotations

import math
from fractions import Fraction

from fxpsim.autodiff import Tensor, ops
from fxpsim.nn.initializers import ones, zeros
from fxpsim.nn.module import Module
from fxpsim.nn.parameter import Buffer, Initializer, Parameter


class BatchNorm(Module):
    """Batch normalization over all axes but the last (Ioffe and Szegedy 2015).

    Training uses the statistics of the batch and keeps running ones; inference uses those. The running variance is
    the unbiased one.

    Parameters
    ----------
    channels : int
        Size of the last axis.
    momentum : float
        Share of a batch in the running statistics; a decimal, taken exactly as written.
    epsilon : float
        Added to the variance.
    frozen : bool
        Use the running statistics in training too, and leave them as they are.
    initializer : Initializer
        Initial value of the scale; ``zeros`` makes a residual branch start as the identity.
    """

    def __init__(
        self,
        channels: int,
        *,
        momentum: float = 0.1,
        epsilon: float = 1e-5,
        frozen: bool = False,
        initializer: Initializer = ones,
    ) -> None:
        self.epsilon, self.frozen = Fraction(str(epsilon)), frozen
        self.gamma = Parameter((channels,), initializer)
        self.beta = Parameter((channels,), zeros)
        rate = Fraction(str(momentum))
        self.running_mean = Buffer((channels,), 0.0, rate)
        self.running_variance = Buffer((channels,), 1.0, rate)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize, scale and shift every channel."""
        if self.frozen or not x.engine.training:
            statistics = self.running_mean(), self.running_variance()
            return ops.frozen_batch_norm(x, self.gamma(), self.beta(), *statistics, epsilon=self.epsilon)
        y = ops.batch_norm(x, self.gamma(), self.beta(), epsilon=self.epsilon)
        if y.record is not None:
            kept = y.record.saved
            self.running_mean.observed, self.running_variance.observed = kept.mean(), kept.variance()
        return y


class LayerNorm(Module):
    """Normalization of every row, the last axis, then scale and shift (Ba, Kiros, Hinton 2016).

    Parameters
    ----------
    width : int
        Size of the last axis.
    epsilon : float
        Added to the variance; a decimal, taken exactly as written.
    bias : bool
        Whether to add a shift.
    """

    def __init__(self, width: int, *, epsilon: float = 1e-5, bias: bool = True) -> None:
        self.epsilon = Fraction(str(epsilon))
        self.gamma = Parameter((width,), ones)
        self.beta = Parameter((width,), zeros) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalize every row."""
        y = ops.multiply(ops.normalize_rows(x, epsilon=self.epsilon), self.gamma())
        return y if self.beta is None else ops.add(y, self.beta())


class GroupNorm(Module):
    """Normalization over space and a group of channels, of each sample by itself (Wu and He 2018).

    Parameters
    ----------
    groups, channels : int
        Groups, and channels in all.
    epsilon : float
        Added to the variance; a decimal, taken exactly as written.
    """

    def __init__(self, groups: int, channels: int, *, epsilon: float = 1e-5) -> None:
        if channels % groups:
            raise ValueError(f"{channels} channels cannot be cut into {groups} groups")
        self.groups, self.epsilon = groups, Fraction(str(epsilon))
        self.gamma = Parameter((channels,), ones)
        self.beta = Parameter((channels,), zeros)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, ..., channels) to the same shape."""
        n, *space, channels = x.shape
        pixels, width = math.prod(space), channels // self.groups
        # bring each sample's groups into rows of their own
        y = ops.transpose(ops.reshape(x, shape=(n, pixels, self.groups, width)), axes=(0, 2, 1, 3))
        y = ops.normalize_rows(ops.reshape(y, shape=(n, self.groups, pixels * width)), epsilon=self.epsilon)
        y = ops.transpose(ops.reshape(y, shape=(n, self.groups, pixels, width)), axes=(0, 2, 1, 3))
        return ops.add(ops.multiply(ops.reshape(y, shape=x.shape), self.gamma()), self.beta())
