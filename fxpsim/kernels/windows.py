"""Windows over an image (pooling): largest element, sum, and the way back. Codes or floats, channels last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for


@dataclass(frozen=True, kw_only=True)
class Window:
    """Size, stride and padding of a pooling window, each as (height, width)."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)

    @property
    def area(self) -> int:
        """Elements of a window."""
        return self.size[0] * self.size[1]

    @property
    def overlap(self) -> int:
        """How many windows can share one element, at most."""
        return -(-self.size[0] // self.stride[0]) * -(-self.size[1] // self.stride[1])

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Shape of the result for an input of ``shape`` (N, H, W, C)."""
        n, h, w, c = shape
        rows = (h + 2 * self.padding[0] - self.size[0]) // self.stride[0] + 1
        columns = (w + 2 * self.padding[1] - self.size[1]) // self.stride[1] + 1
        return n, rows, columns, c

    def geometry(self) -> np.ndarray:
        """The six numbers that the kernels take."""
        return np.array([*self.size, *self.stride, *self.padding], np.int64)


def window_max(x: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest element of each window and its place in the window (the first of equals)."""
    out = np.empty(window.output_shape(x.shape), x.dtype)
    winners = np.empty(out.shape, np.uint16)
    parallel_for(_max, len(x), window.geometry(), x, out, winners)
    return out, winners


def window_max_gradient(g: np.ndarray, winners: np.ndarray, window: Window, shape: tuple[int, ...]) -> np.ndarray:
    """Add each gradient to its window's winner; integer gradients are summed in 32 bits."""
    out = np.zeros(shape, _sum_dtype(g))
    parallel_for(_max_gradient, len(g), window.geometry(), g, winners, out)
    return out


def window_sum(x: np.ndarray, window: Window) -> np.ndarray:
    """Return the sum of each window, in row-major order; integers are summed in 32 bits."""
    out = np.empty(window.output_shape(x.shape), _sum_dtype(x))
    parallel_for(_sum, len(x), window.geometry(), x, out)
    return out


def window_sum_gradient(g: np.ndarray, window: Window, shape: tuple[int, ...]) -> np.ndarray:
    """Add each gradient to every element of its window; integers are summed in 32 bits."""
    out = np.zeros(shape, _sum_dtype(g))
    parallel_for(_sum_gradient, len(g), window.geometry(), g, out)
    return out


def _sum_dtype(x: np.ndarray) -> type:
    return np.int32 if x.dtype.kind == "i" else x.dtype.type


@kernel
def _max(begin, end, geometry, x, out, winners):
    rows, columns, down, right, top, left = geometry
    _, height, width, channels = x.shape
    for n in range(begin, end):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                best, winner = out[n, i, j], winners[n, i, j]
                first = True
                for r in range(rows):
                    y = i * down - top + r
                    if y < 0 or y >= height:
                        continue
                    for s in range(columns):
                        z = j * right - left + s
                        if z < 0 or z >= width:
                            continue
                        source = x[n, y, z]
                        place = np.uint16(r * columns + s)
                        if first:
                            for c in range(channels):
                                best[c] = source[c]
                                winner[c] = place
                            first = False
                        else:
                            for c in range(channels):
                                if source[c] > best[c]:
                                    best[c] = source[c]
                                    winner[c] = place


@kernel
def _max_gradient(begin, end, geometry, g, winners, out):
    _, columns, down, right, top, left = geometry
    for n in range(begin, end):
        for i in range(g.shape[1]):
            for j in range(g.shape[2]):
                for c in range(g.shape[3]):
                    place = np.int64(winners[n, i, j, c])
                    y = i * down - top + place // columns
                    z = j * right - left + place % columns
                    out[n, y, z, c] += g[n, i, j, c]


@kernel
def _sum(begin, end, geometry, x, out):
    rows, columns, down, right, top, left = geometry
    _, height, width, channels = x.shape
    for n in range(begin, end):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                total = out[n, i, j]
                for c in range(channels):
                    total[c] = 0
                for r in range(rows):
                    y = i * down - top + r
                    if y < 0 or y >= height:
                        continue
                    for s in range(columns):
                        z = j * right - left + s
                        if z < 0 or z >= width:
                            continue
                        source = x[n, y, z]
                        for c in range(channels):
                            total[c] += source[c]


@kernel
def _sum_gradient(begin, end, geometry, g, out):
    rows, columns, down, right, top, left = geometry
    _, height, width, channels = out.shape
    for n in range(begin, end):
        for i in range(g.shape[1]):
            for j in range(g.shape[2]):
                source = g[n, i, j]
                for r in range(rows):
                    y = i * down - top + r
                    if y < 0 or y >= height:
                        continue
                    for s in range(columns):
                        z = j * right - left + s
                        if z < 0 or z >= width:
                            continue
                        goal = out[n, y, z]
                        for c in range(channels):
                            goal[c] += source[c]
