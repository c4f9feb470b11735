"""The input gradient of a strided convolution, phase by phase.

Input position h meets the error at ``(h + padding - r * dilation) / stride`` where that is whole. Which taps r these
are depends on ``h mod stride`` alone, the position's phase. All positions of a phase therefore make a contraction of
their own, with a few of the taps, over the error as it is: none of the zeros that would lie between spread-out errors,
which are three quarters of the products for a stride of 2.

Taps keep their order. A product with a zero changes no sum and rounds to zero, except by ``jam``; flat indices k, which
chunks and random words depend on, do change.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.mac.bounds import Bounds, holds
from fxpsim.kernels.mac.geometry import Convolution
from fxpsim.kernels.mac.spec import MacSpec
from fxpsim.kernels.mac.tables import Contraction, Frame, steps, table
from fxpsim.kernels.mac.task import Task
from fxpsim.kernels.threads import parallel_for
from fxpsim.numerics import Overflow, Rounding

_LONG = 512  # products of bytes per result; fewer, zeros included, take less time than a copy of the result

Taps = tuple[tuple[int, int], ...]  # (tap, errors that it moves on)


def has_phases(task: Task, spec: MacSpec, bounds: Bounds) -> bool:
    """Return whether a task may be cut into phases without a change of its result, and whether that saves time."""
    strided = task.kind == "input_grad" and task.geometry is not None and max(task.geometry.stride) > 1
    indexed = spec.step > 1 or (spec.rounds and (spec.rounding.is_stochastic or spec.rounding is Rounding.JAM))
    if not strided or indexed:
        return False
    exact = spec.overflow is Overflow.WRAP or holds(spec, bounds.total, bounds.nonnegative)
    quick = exact and not spec.rounds and task.a.itemsize == task.b[0].itemsize == 1
    return not quick or task.k >= _LONG


def phases(task: Task) -> Iterator[tuple[tuple[int, int], Task | None]]:
    """Yield each phase, (row, column), and its task; None where no tap meets an error."""
    g = task.geometry
    assert g is not None
    for begin in product(range(min(g.stride[0], g.height)), range(min(g.stride[1], g.width))):
        taps = taps_of(g, 0, begin[0]), taps_of(g, 1, begin[1])
        if not all(taps):
            yield begin, None
            continue
        contraction, shape = _contraction(g, begin)
        index = np.ix_(*([tap for tap, _ in axis] for axis in taps))
        parts = (b.reshape(g.kernel_height, g.kernel_width, -1, b.shape[1])[index] for b in task.b)
        flat = tuple(part.reshape(-1, part.shape[-1]) for part in parts)
        yield begin, replace(task, contraction=contraction, b=flat, shape=shape, geometry=None)


@lru_cache(maxsize=1024)
def taps_of(g: Convolution, axis: int, phase: int) -> Taps:
    """Return the taps that meet errors from positions ``phase``, ``phase + stride`` ..., and how far on these lie.

    Examples
    --------
    >>> from fxpsim.kernels.mac.geometry import convolution
    >>> g = convolution((1, 8, 8, 1), (3, 3, 1, 1), stride=2, padding=1)
    >>> taps_of(g, 0, 0), taps_of(g, 0, 1)
    (((1, 0),), ((0, 1), (2, 0)))
    """
    size, stride = (g.kernel_height, g.kernel_width)[axis], g.stride[axis]
    places = [(tap, phase + g.padding[axis][0] - tap * g.dilation[axis]) for tap in range(size)]
    return tuple((tap, place // stride) for tap, place in places if place % stride == 0)


@lru_cache(maxsize=256)
def _contraction(g: Convolution, begin: tuple[int, int]) -> tuple[Contraction, tuple[int, ...]]:
    """Return the tables of a phase and the shape of its result."""
    firsts, extents, counts, offsets = [], [], [], []
    for axis, errors in enumerate((g.out_height, g.out_width)):
        moves = [move for _, move in taps_of(g, axis, begin[axis])]
        counts.append(-(-((g.height, g.width)[axis] - begin[axis]) // g.stride[axis]))
        firsts.append(max(0, -min(moves)))
        extents.append(firsts[-1] + max(errors, counts[-1] + max(moves)))
        offsets.append(np.array(moves, np.int64))
    top, left = firsts
    frame = Frame(images=g.images, height=extents[0], width=extents[1], channels=g.out_channels, top=top, left=left)
    image, row, _ = frame.strides()
    start = top * row + left * frame.channels
    rows = table(steps(g.images, image), steps(counts[0], row), steps(counts[1], frame.channels)) + start
    cols = table(offsets[0] * row, offsets[1] * frame.channels, steps(g.group_out_channels, 1))
    contraction = Contraction(frame=frame, rows=rows, cols=cols, group_base=g.group_out_channels)
    return contraction, (g.images, *counts, g.channels)


@kernel
def _put(begin, end, part, out, first, stride):
    """Copy the results of a phase to their places; a unit is an image."""
    channels = part.shape[3]
    for n in range(begin, end):
        for i in range(part.shape[1]):
            source = part[n, i].reshape(-1)
            target = out[n, first[0] + i * stride[0]].reshape(-1)
            for j in range(part.shape[2]):
                at, to = j * channels, (first[1] + j * stride[1]) * channels
                pixel, place = source[at : at + channels], target[to : to + channels]
                for c in range(place.size):
                    place[c] = pixel[c]


def put(part: np.ndarray, out: np.ndarray, first: tuple[int, int], stride: tuple[int, int]) -> None:
    """Write ``out[:, first[0] :: stride[0], first[1] :: stride[1]] = part``."""
    parallel_for(_put, part.shape[0], part, out, first, stride)
