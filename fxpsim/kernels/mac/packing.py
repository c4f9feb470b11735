"""Lay b out as the micro-kernels read it, and measure it on the way.

Packed b, for a lane with groups of two and panels of four columns (letters are columns, digits k)::

    panel 0, group 0:  a0 a1 b0 b1 c0 c1 d0 d1      panel 0, group 1:  a2 a3 b2 b3 ...

so that one register load gives one group of every column. The last panel is filled up with zeros, and so are groups
that a run of k offsets cuts short.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from fxpsim.kernels.jit import compile_source
from fxpsim.kernels.mac.micro import Lane
from fxpsim.kernels.mac.tables import Grouping
from fxpsim.kernels.threads import parallel_for

SEGMENT = 128
"""Groups per segment: what one work unit packs, and the unit of the column sums."""

_ALIGNMENT = 64  # a register load that crosses a cache line takes twice as long


def aligned_empty(size: int, dtype: str) -> np.ndarray:
    """Return an uninitialized flat array that begins at a cache line."""
    size_bytes = size * np.dtype(dtype).itemsize
    raw = np.empty(size_bytes + _ALIGNMENT, np.uint8)
    begin = -raw.ctypes.data % _ALIGNMENT
    return raw[begin : begin + size_bytes].view(dtype)


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
    sums : ndarray of int64, (panels, segments, width)
        Sum of each column over each segment of ``SEGMENT`` groups; empty for floats.
    magnitude : int
        Largest sum of absolute values of a column; 0 for floats.
    """

    data: np.ndarray
    width: int
    panels: int
    groups: int
    sums: np.ndarray
    magnitude: int


_SOURCE = '''\
def mac_pack_{group}(begin, end, b, source, data, groups, sums, magnitudes):
    """Pack and measure segments of panels."""
    width, segments = sums.shape[2], sums.shape[1]
    stage = np.zeros(({group}, width), data.dtype)
    size = np.zeros(width, np.int64)
    for unit in range(begin, end):
        panel, segment = unit // segments, unit % segments
        first = panel * width
        columns = min(width, b.shape[1] - first)
        total = sums[panel, segment]
        total[:] = 0
        size[:] = 0
        for g in range(segment * {segment}, min(groups, (segment + 1) * {segment})):
            for q in range({group}):
                k = source[g * {group} + q]
                line = stage[q]
                if k < 0:
                    line[:] = 0
                else:
                    row = b[k, first : first + columns]
                    for j in range(row.size):
                        line[j] = row[j]
                        {measure}
            target = data[(panel * groups + g) * width * {group} : (panel * groups + g + 1) * width * {group}]
{interleave}
        magnitudes[panel, segment] = size
'''


# int64 first: the magnitude of -32768 is no 16-bit number
_MEASURE = """code = np.int64(row[j])
                        size[j] += abs(code)
                        total[j] += code"""


@lru_cache(maxsize=16)
def _compiled(group: int, is_float: bool) -> Any:
    names = ", ".join(f"s{q}" for q in range(group))
    parts = ", ".join(f"stage[{q}]" for q in range(group))
    lines = [f"{names} = {parts}", "for j in range(s0.size):"]
    lines += [f"    target[{group} * j + {q}] = s{q}[j]" for q in range(group)]
    source = _SOURCE.format(
        group=group,
        segment=SEGMENT,
        measure="pass" if is_float else _MEASURE,
        interleave="\n".join(" " * 12 + line for line in lines),
    )
    return compile_source(f"mac_pack_{group}", source, {"np": np})


def pack(b: np.ndarray, grouping: Grouping, lane: Lane, width: int) -> Packed:
    """Pack b for a lane.

    Parameters
    ----------
    b : ndarray, (K, N)
        Codes, or floats for the lanes of floats; any strides.
    grouping : Grouping
        Which k each group holds.
    lane : Lane
    width : int
        Columns of a panel.
    """
    groups = grouping.offsets.size
    panels = -(-b.shape[1] // width)
    segments = -(-groups // SEGMENT)
    data = aligned_empty(panels * groups * width * lane.group, lane.b_type)
    sums = np.empty((panels, segments, width), np.int64)
    sizes = np.zeros((panels, segments, width), np.int64)
    is_float = b.dtype.kind == "f"
    run = _compiled(lane.group, is_float)
    parallel_for(run, panels * segments, b, grouping.source, data, groups, sums, sizes)
    magnitude = 0 if is_float else int(sizes.sum(axis=1).max())
    return Packed(data=data, width=width, panels=panels, groups=groups, sums=sums, magnitude=magnitude)
