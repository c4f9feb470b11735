"""Pooling layers and the way from images to vectors."""

from __future__ import annotations

from fxpsim.autodiff import Tensor, ops
from fxpsim.nn.module import Module
from fxpsim.units import Window

Pair = int | tuple[int, int]


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


class MaxPool2d(Module):
    """Largest element of each window; the stride is the size unless given."""

    def __init__(self, size: Pair, *, stride: Pair | None = None, padding: Pair = 0) -> None:
        self.window = Window(size=_pair(size), stride=_pair(size if stride is None else stride), padding=_pair(padding))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, H, W, C) to (N, OH, OW, C)."""
        return ops.max_pool(x, window=self.window)


class AvgPool2d(Module):
    """Mean of each window, padding included; the stride is the size unless given."""

    def __init__(self, size: Pair, *, stride: Pair | None = None, padding: Pair = 0) -> None:
        self.window = Window(size=_pair(size), stride=_pair(size if stride is None else stride), padding=_pair(padding))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, H, W, C) to (N, OH, OW, C)."""
        return ops.average_pool(x, window=self.window)


class GlobalAvgPool2d(Module):
    """Mean of every channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, H, W, C) to (N, C)."""
        return ops.global_average_pool(x)


class Flatten(Module):
    """Join all axes but the first."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, ...) to (N, product)."""
        return ops.flatten(x)
