"""Every product of the MAC array as one table-driven contraction.

``out[m, n] = sum over k of a[base + rows[m] + cols[k]] * b[k, n]``

Matrix product, convolution and both gradients differ only in the two tables, so there is no im2col: the operand
``a`` stays an image (padded with zeros), and a kernel adds two offsets to find an element of it.

============== ============================= ========================= =======================
operation      rows m                        k                         b
============== ============================= ========================= =======================
forward        output position (n, oh, ow)   (r, s, c) of the kernel   w as (r, s, c) x k
input gradient input position (n, h, w)      (r, s, k) of the kernel   w as (r, s, k) x c
weight gradient kernel entry (r, s, c)       output position           e as (n, oh, ow) x k
============== ============================= ========================= =======================

In the input gradient a step of r moves *back* one dilated row: its k offsets are negative, which keeps r and s
increasing in the order of summation. Its image is the error, spread out by the stride with zeros between.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fxpsim.kernels.mac.geometry import Convolution

Offsets = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Frame:
    """How the image ``a`` lies in memory: (images, height, width, channels), channels fastest.

    The operand's element (y, x) lies at (top + y * step[0], left + x * step[1]); everything else is zero.
    """

    images: int
    height: int
    width: int
    channels: int
    top: int = 0
    left: int = 0
    step: tuple[int, int] = (1, 1)

    def offsets(self, *axes: tuple[np.ndarray | int, int, int, int]) -> Offsets:
        """Return the flat table of positions: each axis is (indices, row step, column step, channel step)."""
        total = np.zeros((), np.int64)
        for indices, *steps in axes:
            y, x, c = steps
            distance = (y * self.width + x) * self.channels + c
            total = np.add.outer(total, np.asarray(indices, np.int64) * distance)
        return np.ascontiguousarray(total.reshape(-1))

    @property
    def image_size(self) -> int:
        """Elements of one image."""
        return self.height * self.width * self.channels

    def holds(self, shape: tuple[int, ...]) -> bool:
        """Whether an operand of this shape already lies in memory like the frame."""
        return shape == (self.images, self.height, self.width, self.channels)


@dataclass(frozen=True, kw_only=True)
class Contraction:
    """The tables of one operation; group g starts at ``g * group_base``."""

    frame: Frame
    rows: Offsets
    cols: Offsets
    group_base: int = 0


def _forward_axes(g: Convolution, frame: Frame) -> tuple[Offsets, Offsets]:
    """Return the offsets of the output positions (n, oh, ow) and of the kernel entries (r, s, c)."""
    positions = np.add.outer(
        np.arange(g.images, dtype=np.int64) * frame.image_size,
        frame.offsets((np.arange(g.out_height), g.stride[0], 0, 0), (np.arange(g.out_width), 0, g.stride[1], 0)),
    ).reshape(-1)
    entries = frame.offsets(
        (np.arange(g.kernel_height), g.dilation[0], 0, 0),
        (np.arange(g.kernel_width), 0, g.dilation[1], 0),
        (np.arange(g.group_channels), 0, 0, 1),
    )
    return positions, entries


def _padded_input(g: Convolution) -> Frame:
    (top, bottom), (left, right) = g.padding
    return Frame(
        images=g.images,
        height=top + g.height + bottom,
        width=left + g.width + right,
        channels=g.channels,
        top=top,
        left=left,
    )


@lru_cache(maxsize=256)
def forward(g: Convolution) -> Contraction:
    """Return the tables of the convolution itself."""
    frame = _padded_input(g)
    positions, entries = _forward_axes(g, frame)
    return Contraction(frame=frame, rows=positions, cols=entries, group_base=g.group_channels)


@lru_cache(maxsize=256)
def weight_grad(g: Convolution) -> Contraction:
    """Return the tables of the gradient with respect to the kernel: those of ``forward``, exchanged."""
    frame = _padded_input(g)
    positions, entries = _forward_axes(g, frame)
    return Contraction(frame=frame, rows=entries, cols=positions, group_base=g.group_channels)


@lru_cache(maxsize=256)
def input_grad(g: Convolution) -> Contraction:
    """Return the tables of the gradient with respect to the input."""
    top, height = _spread(g, axis=0)
    left, width = _spread(g, axis=1)
    frame = Frame(
        images=g.images, height=height, width=width, channels=g.out_channels, top=top, left=left, step=g.stride
    )
    start = ((top + g.padding[0][0]) * width + left + g.padding[1][0]) * frame.channels
    inside = frame.offsets((np.arange(g.height), 1, 0, 0), (np.arange(g.width), 0, 1, 0))
    rows = np.add.outer(np.arange(g.images, dtype=np.int64) * frame.image_size + start, inside).reshape(-1)
    cols = frame.offsets(
        (np.arange(g.kernel_height), -g.dilation[0], 0, 0),
        (np.arange(g.kernel_width), 0, -g.dilation[1], 0),
        (np.arange(g.group_out_channels), 0, 0, 1),
    )
    return Contraction(frame=frame, rows=rows, cols=cols, group_base=g.group_out_channels)


def _spread(g: Convolution, axis: int) -> tuple[int, int]:
    """Return where the spread-out error begins along an axis, and the extent of its frame.

    Input position h reads the error at ``h + padding - r * dilation``; the frame holds every such position.
    """
    size = (g.height, g.width)[axis]
    errors = (g.out_height, g.out_width)[axis]
    reach = ((g.kernel_height, g.kernel_width)[axis] - 1) * g.dilation[axis]
    before = g.padding[axis][0]
    begin = max(0, reach - before)
    return begin, begin + max(size + before, (errors - 1) * g.stride[axis] + 1)


@lru_cache(maxsize=1024)
def product(m: int, k: int, transposed: bool) -> Contraction:
    """Return the tables of a matrix product: ``a`` is an image of one row of m pixels with k channels."""
    frame = Frame(images=1, height=1, width=k if transposed else m, channels=m if transposed else k)
    row_step, col_step = (1, m) if transposed else (k, 1)
    return Contraction(
        frame=frame,
        rows=np.arange(m, dtype=np.int64) * row_step,
        cols=np.arange(k, dtype=np.int64) * col_step,
    )
