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

    With ``phases`` above 0 the image is planar, for instructions that contract along x: (images, channels, height,
    phases, columns), where position x lies in phase ``x % phases``, column ``x // phases``; a convolution of stride
    ``phases`` then reads consecutive columns.
    """

    images: int
    height: int
    width: int
    channels: int
    top: int = 0
    left: int = 0
    step: tuple[int, int] = (1, 1)
    phases: int = 0

    @property
    def planar_columns(self) -> int:
        """Columns of one phase of a planar image."""
        return -(-self.width // self.phases)

    def strides(self) -> tuple[int, int, int]:
        """Return the distances of an image, a row and a channel, in elements."""
        if not self.phases:
            return self.height * self.width * self.channels, self.width * self.channels, 1
        row = self.phases * self.planar_columns
        return self.channels * self.height * row, row, self.height * row

    def across(self, positions: np.ndarray) -> Offsets:
        """Return the offsets of positions x."""
        if not self.phases:
            return positions * self.channels
        return positions % self.phases * self.planar_columns + positions // self.phases

    @property
    def size(self) -> int:
        """Elements of all images."""
        return self.images * self.strides()[0]

    def holds(self, shape: tuple[int, ...]) -> bool:
        """Whether an operand of this shape already lies in memory like the frame."""
        return not self.phases and shape == (self.images, self.height, self.width, self.channels)


def table(*axes: Offsets) -> Offsets:
    """Return all sums of one offset per axis, the last axis fastest."""
    total = np.zeros((), np.int64)
    for offsets in axes:
        total = np.add.outer(total, offsets)
    return np.ascontiguousarray(total.reshape(-1))


def steps(count: int, step: int) -> Offsets:
    """Return the offsets of positions that are as far apart as each other."""
    return np.arange(count, dtype=np.int64) * step


@dataclass(frozen=True, kw_only=True, eq=False)
class Contraction:
    """The tables of one operation; group g starts at ``g * group_base``."""

    frame: Frame
    rows: Offsets
    cols: Offsets
    group_base: int = 0


def _padded_input(g: Convolution, phases: int = 0) -> Frame:
    (top, bottom), (left, right) = g.padding
    return Frame(
        images=g.images,
        height=top + g.height + bottom,
        width=left + g.width + right,
        channels=g.channels,
        top=top,
        left=left,
        phases=phases,
    )


def _positions(g: Convolution, frame: Frame) -> Offsets:
    """Return the offsets of the output positions (n, oh, ow)."""
    image, row, _ = frame.strides()
    return table(
        steps(g.images, image),
        steps(g.out_height, g.stride[0] * row),
        frame.across(steps(g.out_width, g.stride[1])),
    )


def _entries(g: Convolution, frame: Frame) -> Offsets:
    """Return the offsets of the kernel entries (r, s, c)."""
    _, row, channel = frame.strides()
    return table(
        steps(g.kernel_height, g.dilation[0] * row),
        frame.across(steps(g.kernel_width, g.dilation[1])),
        steps(g.group_channels, channel),
    )


@lru_cache(maxsize=256)
def forward(g: Convolution) -> Contraction:
    """Return the tables of the convolution itself."""
    frame = _padded_input(g)
    base = g.group_channels * frame.strides()[2]
    return Contraction(frame=frame, rows=_positions(g, frame), cols=_entries(g, frame), group_base=base)


@lru_cache(maxsize=256)
def weight_grad(g: Convolution, planar: bool = False) -> Contraction:
    """Return the tables of the gradient with respect to the kernel: those of ``forward``, exchanged."""
    frame = _padded_input(g, g.stride[1] if planar else 0)
    base = g.group_channels * frame.strides()[2]
    return Contraction(frame=frame, rows=_entries(g, frame), cols=_positions(g, frame), group_base=base)


@lru_cache(maxsize=256)
def input_grad(g: Convolution) -> Contraction:
    """Return the tables of the gradient with respect to the input."""
    top, height = _spread(g, axis=0)
    left, width = _spread(g, axis=1)
    frame = Frame(
        images=g.images, height=height, width=width, channels=g.out_channels, top=top, left=left, step=g.stride
    )
    image, row, _ = frame.strides()
    start = (top + g.padding[0][0]) * row + (left + g.padding[1][0]) * frame.channels
    rows = table(steps(g.images, image), steps(g.height, row), steps(g.width, frame.channels)) + start
    cols = table(
        steps(g.kernel_height, -g.dilation[0] * row),
        steps(g.kernel_width, -g.dilation[1] * frame.channels),
        steps(g.group_out_channels, 1),
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
def product(m: int, k: int, transposed: bool, planar: bool = False) -> Contraction:
    """Return the tables of a matrix product: ``a`` is an image of one line of pixels.

    As stored, (M, K), its pixels are m and its channels k; transposed, (K, M), the other way round.
    """
    width, channels = (k, m) if transposed else (m, k)
    frame = Frame(images=1, height=1, width=width, channels=channels, phases=int(planar))
    pixels, lanes = frame.across(steps(width, 1)), steps(channels, frame.strides()[2])
    rows, cols = (lanes, pixels) if transposed else (pixels, lanes)
    return Contraction(frame=frame, rows=rows, cols=cols)


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """The k offsets for an instruction that reads ``group`` consecutive elements at once.

    Parameters
    ----------
    offsets : ndarray of int64
        Offset of each group.
    source : ndarray of int64
        Index k of each element of the groups; -1 where a run ends within its group. The instruction reads a
        neighbor there, and b is zero.
    """

    offsets: np.ndarray
    source: np.ndarray

    @property
    def is_whole(self) -> bool:
        """Whether no group is cut short."""
        return bool(self.source[-1] == self.source.size - 1) if self.source.size else True


@lru_cache(maxsize=1024)
def single(contraction: Contraction, group: int, *, even: bool = False) -> Grouping:
    """Give each k a group of its own, although the instruction reads ``group`` elements.

    If asked for an even number of groups, an odd one gets another group: zeros of b times the last code of a.
    """
    cols = contraction.cols
    more = even and cols.size % 2 == 1
    source = np.full((cols.size + more, group), -1, np.int64)
    source[: cols.size, 0] = np.arange(cols.size)
    offsets = np.append(cols, cols[-1]) if more else cols
    return Grouping(offsets=offsets, source=source.reshape(-1))


@lru_cache(maxsize=1024)
def grouped(contraction: Contraction, group: int) -> Grouping:
    """Cut the runs of consecutive k offsets into groups."""
    cols = contraction.cols
    if group == 1:
        return Grouping(offsets=cols, source=np.arange(cols.size, dtype=np.int64))
    ends = np.append(np.flatnonzero(np.diff(cols) != 1) + 1, cols.size)
    begins = np.append(0, ends[:-1])
    starts = np.concatenate([np.arange(b, e, group) for b, e in zip(begins, ends, strict=True)])
    limits = np.repeat(ends, -(-(ends - begins) // group))
    source = starts[:, None] + np.arange(group)
    source[source >= limits[:, None]] = -1
    return Grouping(offsets=np.ascontiguousarray(cols[starts]), source=source.reshape(-1))
