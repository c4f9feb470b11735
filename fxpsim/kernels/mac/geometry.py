"""Shapes of a convolution and of its two gradients.

The indices are those of the forward pass throughout: images n, input (h, w, c), kernel (r, s), output (oh, ow, k).
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from fxpsim.errors import UserError

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """Geometry of ``y[n, oh, ow, k] = sum x[n, oh*stride + r*dilation - padding, ..., c] * w[r, s, c, k]``."""

    images: int
    height: int
    width: int
    channels: int
    kernel_height: int
    kernel_width: int
    out_channels: int
    stride: Pair = (1, 1)
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def out_height(self) -> int:
        """Rows of the output."""
        reach = (self.kernel_height - 1) * self.dilation[0]
        return (self.height + sum(self.padding[0]) - reach - 1) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        """Columns of the output."""
        reach = (self.kernel_width - 1) * self.dilation[1]
        return (self.width + sum(self.padding[1]) - reach - 1) // self.stride[1] + 1

    @property
    def group_channels(self) -> int:
        """Input channels of one group."""
        return self.channels // self.groups

    @property
    def group_out_channels(self) -> int:
        """Output channels of one group."""
        return self.out_channels // self.groups

    @cached_property
    def products(self) -> int:
        """Products of the convolution, and of each of its gradients: none in the padding."""
        taps = [range(self.kernel_height), range(self.kernel_width)]
        rows, columns = (sum(_count(reached(self, axis, tap)[1]) for tap in taps[axis]) for axis in (0, 1))
        return self.images * rows * columns * self.group_channels * self.out_channels

    @property
    def out_shape(self) -> tuple[int, int, int, int]:
        """Shape of the output, (N, OH, OW, K)."""
        return self.images, self.out_height, self.out_width, self.out_channels


@lru_cache(maxsize=1024)
def reached(g: Convolution, axis: int, tap: int) -> tuple[slice, slice]:
    """Return which inputs a tap reads along an axis, and for which outputs; the others are padding.

    Examples
    --------
    >>> reached(convolution((1, 5, 5, 1), (3, 3, 1, 1), padding=1, stride=2), 0, 0)
    (slice(1, 4, 2), slice(1, 3, None))
    """
    stride, size, outputs = g.stride[axis], (g.height, g.width)[axis], (g.out_height, g.out_width)[axis]
    offset = tap * g.dilation[axis] - g.padding[axis][0]
    first = max(0, -(offset // stride))
    last = min(outputs, -(-(size - offset) // stride))
    if last <= first:
        return slice(0, 0), slice(0, 0)
    begin = first * stride + offset
    return slice(begin, begin + (last - first - 1) * stride + 1, stride), slice(first, last)


def _count(part: slice) -> int:
    return part.stop - part.start


def _pair(value: Any) -> Pair:
    return (int(value), int(value)) if hasattr(value, "__index__") else (int(value[0]), int(value[1]))


def _paddings(value: Any) -> tuple[Pair, Pair]:
    rows, columns = (value, value) if hasattr(value, "__index__") else value
    return _pair(rows), _pair(columns)


@lru_cache(maxsize=1024)
def convolution(
    input_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Convolution:
    """Check the shapes of a convolution and return its geometry.

    Parameters
    ----------
    input_shape : (N, H, W, C)
    kernel_shape : (R, S, C / groups, K)
    stride, dilation : int or (rows, columns)
    padding : int, (rows, columns) or ((top, bottom), (left, right))
    groups : int

    Raises
    ------
    UserError
        If the shapes do not fit.

    Examples
    --------
    >>> convolution((1, 8, 8, 3), (3, 3, 3, 16), stride=2, padding=1).out_shape
    (1, 4, 4, 16)
    """
    if len(input_shape) != 4 or len(kernel_shape) != 4:
        raise UserError(
            f"input {tuple(input_shape)} with kernel {tuple(kernel_shape)}",
            where="conv2d",
            expected="input (N, H, W, C) and kernel (R, S, C / groups, K)",
        )
    (n, h, w, c), (r, s, group_channels, k) = input_shape, kernel_shape
    if groups < 1 or c != group_channels * groups or k % groups:
        raise UserError(
            f"{c} input channels, kernel {tuple(kernel_shape)}, {groups} groups",
            where="conv2d",
            expected="C = groups * (third dimension of the kernel) and K divisible by groups",
        )
    geometry = Convolution(
        images=n,
        height=h,
        width=w,
        channels=c,
        kernel_height=r,
        kernel_width=s,
        out_channels=k,
        stride=_pair(stride),
        padding=_paddings(padding),
        dilation=_pair(dilation),
        groups=groups,
    )
    if min(*geometry.stride, *geometry.dilation) < 1 or min(*geometry.padding[0], *geometry.padding[1]) < 0:
        raise UserError(
            f"stride {stride}, padding {padding}, dilation {dilation}",
            where="conv2d",
            expected="stride and dilation of at least 1, padding of at least 0",
        )
    if min(geometry.out_shape) < 1:
        raise UserError(
            f"output shape {geometry.out_shape} is empty",
            where="conv2d",
            expected="an input, with its padding, at least as large as the dilated kernel",
        )
    return geometry
