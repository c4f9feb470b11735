"""Lay b out as the micro-kernels read it, and measure it on the way.

Packed b, for a lane with groups of two and panels of four columns (letters are columns, digits k)::

    panel 0, group 0:  a0 a1 b0 b1 c0 c1 d0 d1      panel 0, group 1:  a2 a3 b2 b3 ...

so that one register load gives one group of every column. The last panel is filled up with zeros, and so are groups
that a run of k offsets cuts short.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from fxpsim.kernels.jit import compile_source, kernel
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac.moves import pack_group
from fxpsim.kernels.mac.tables import Grouping
from fxpsim.kernels.mac.tile import CHUNK, Lane
from fxpsim.kernels.memory import empty
from fxpsim.kernels.threads import inline, parallel_for

_WORTH_SHARING = 1 << 16  # elements
_SOME = 16  # columns that are looked at first


@dataclass(frozen=True, kw_only=True)
class Packed:
    """The operand b of one group.

    Parameters
    ----------
    data : ndarray, flat
        Panels of groups of columns.
    width : int
        Columns of a panel.
    panels, groups : int
    sums, sizes : ndarray of int64, (panels, segments, width)
        Sum of each column, and of its absolute values, over each segment of ``Lane.segment`` groups (integer lanes
        only).
    peaks : ndarray of int64
        Largest sum of absolute values of a column in ``CHUNK`` consecutive groups of each segment (integer lanes only).
    measured : bool
        Whether ``sums``, ``sizes`` and ``peaks`` hold anything.
    known : int, optional
        The magnitude, where it was measured otherwise.
    """

    data: np.ndarray
    width: int
    panels: int
    groups: int
    sums: np.ndarray
    sizes: np.ndarray
    peaks: np.ndarray
    measured: bool
    known: int | None = None

    @cached_property
    def magnitude(self) -> int:
        """Largest sum of absolute values of a column."""
        return int(self.sizes.sum(axis=1).max()) if self.known is None else self.known

    @cached_property
    def part(self) -> int:
        """Largest sum of absolute values of a column in one of its segments."""
        return int(self.sizes.max())

    @cached_property
    def peak(self) -> int:
        """Largest sum of absolute values of a column in ``CHUNK`` consecutive groups."""
        return int(self.peaks.max())


_SOURCE = '''\
def {name}(begin, end, b, direct, source, data, groups, sums, sizes, peaks):
    """Pack segments of panels{title}, {group} consecutive k at a time; ``direct``: b has this type."""
    segments, pitch = sums.shape[1], b.shape[1]
    stage = np.zeros(({group}, {width}), np.{dtype})
    totals = np.zeros((2, {width}), np.int32)
    before = np.zeros({width}, np.int32)
    sums_at, sizes_at = totals.ctypes.data, totals[1].ctypes.data
    for unit in range(begin, end):
        panel, segment = unit // segments, unit % segments
        first = panel * {width}
        columns = min({width}, pitch - first)
        totals[:] = 0
        before[:] = 0
        peak = 0
        stage[:] = 0
        for g in range(segment * {segment}, min(groups, (segment + 1) * {segment})):
            target_at = data.ctypes.data + (panel * groups + g) * {width} * {group} * {out_size}
            k = source[g * {group}]
            if direct and k >= 0 and columns == {width} and source[g * {group} + {group} - 1] == k + {group} - 1:
                pack(b.ctypes.data + (k * pitch + first) * {size}, pitch, target_at, sums_at, sizes_at)
            else:
                for q in range({group}):
                    k = source[g * {group} + q]
                    line = stage[q, :columns]
                    for j in range(line.size):
                        line[j] = b[k, first + j] if k >= 0 else 0
                pack(stage.ctypes.data, {width}, target_at, sums_at, sizes_at)
            {measure}
        for j in range({width}):
            sums[panel, segment, j] = totals[0, j]
            sizes[panel, segment, j] = totals[1, j]
        peaks[unit] = peak
'''

# a register of k alone is a piece of a row
_SINGLE = '''\
def {name}(begin, end, b, direct, source, data, groups, sums, sizes, peaks):
    """Pack segments of panels of {dtype}, one k at a time, whatever type b has."""
    segments, pitch = sums.shape[1], b.shape[1]
    for unit in range(begin, end):
        panel, segment = unit // segments, unit % segments
        first = panel * {width}
        columns = min({width}, pitch - first)
        for g in range(segment * {segment}, min(groups, (segment + 1) * {segment})):
            at = (panel * groups + g) * {width}
            k = source[g]
            taken = columns if k >= 0 else 0
            target, line = data[at : at + taken], b[k, first : first + taken]
            for j in range(target.size):
                target[j] = line[j]
            data[at + taken : at + {width}] = 0
'''

_MEASURE = """if (g + 1) % {chunk} == 0 or g == groups - 1:
                for j in range({width}):
                    peak = max(peak, totals[1, j] - before[j])
                    before[j] = totals[1, j]"""


@lru_cache(maxsize=64)
def _compiled(lane: Lane, vectors: int, high: bool) -> Any:
    measured = lane.measures
    columns = lane.columns(cpu())
    name = f"mac_pack_{lane.name}_{vectors * columns}" + ("_high" if high else "")
    dtype = "int16" if high else lane.b_type
    template = _SOURCE if measured or lane.group > 1 else _SINGLE
    source = template.format(
        name=name,
        dtype=dtype,
        title=" of high bytes of int16" if high else f" of {dtype}",
        group=lane.group,
        width=vectors * columns,
        size=np.dtype(dtype).itemsize,
        out_size=np.dtype(lane.b_type).itemsize,
        segment=lane.segment,
        measure=_MEASURE.format(chunk=CHUNK, width=vectors * columns) if measured else "pass",
    )
    intrinsic = pack_group(dtype, lane.group, columns, vectors, measured, high)
    return compile_source(name, source, {"np": np, "pack": intrinsic})


@kernel
def _largest_column(b, columns):
    """Return the largest sum of the magnitudes of a column, among the first ones."""
    sizes = np.zeros(min(columns, b.shape[1]), np.int64)
    for k in range(b.shape[0]):
        line = b[k, : sizes.size]
        for j in range(line.size):
            sizes[j] += abs(np.int64(line[j]))
    return sizes.max()


def largest_column(b: np.ndarray) -> int:
    """Return the largest sum of the magnitudes of a column."""
    return int(_largest_column(b, b.shape[1]))


def some_column(b: np.ndarray) -> int:
    """Return the largest sum of the magnitudes of one of the first columns: what is too large for it needs no more."""
    return int(_largest_column(b, _SOME))


def pack(
    b: np.ndarray, grouping: Grouping, lane: Lane, vectors: int, *, measured: bool = False, high: bool = False
) -> Packed:
    """Pack b for a lane.

    Parameters
    ----------
    b : ndarray, (K, N), contiguous
        Codes, or floats for the lanes of floats.
    grouping : Grouping
        Which k each group holds.
    lane : Lane
    vectors : int
        Registers per row of a panel.
    measured : bool
        Whether a lane of floats needs the magnitude, too; the integer lanes measure on the way in any case.
    high : bool
        Pack the nearest multiples of 256 of 16-bit codes, as bytes, and measure what they leave of the codes.
    """
    groups = grouping.offsets.size
    width = vectors * lane.columns(cpu())
    panels = -(-b.shape[1] // width)
    segments = -(-groups // lane.segment)
    # from a cache line on: a register load that crosses one takes longer
    data = empty(panels * groups * width * lane.group, lane.b_type, smallest=0)
    sums = np.empty((panels, segments, width), np.int64)
    sizes = np.empty((panels, segments, width), np.int64)
    peaks = np.zeros(panels * segments, np.int64)
    direct = b.dtype == ("int16" if high else lane.b_type)
    run = _compiled(lane, vectors, high)
    share = parallel_for if b.size >= _WORTH_SHARING else inline
    share(run, panels * segments, b, direct, grouping.source, data, groups, sums, sizes, peaks)
    return Packed(
        data=data,
        width=width,
        panels=panels,
        groups=groups,
        sums=sums,
        sizes=sizes,
        peaks=peaks,
        measured=lane.measures,
        known=largest_column(b) if measured and not lane.measures else None,
    )
