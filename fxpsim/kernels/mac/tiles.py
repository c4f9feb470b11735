"""Drive a micro-kernel over all tiles of a result.

A work unit is a panel of columns and a block of row tiles. Its accumulators stay in one small array; K is cut into
segments so short that the part of b which the block shares stays in the cache::

    for segment of K:  for tile of the block:  micro-kernel

Afterwards the sums are brought together (see ``Reading``), wrapped if the accumulator wraps, and stored.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from fxpsim.kernels.jit import compile_source, kernel
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac.micro import micro_kernel
from fxpsim.kernels.mac.packing import Packed
from fxpsim.kernels.mac.tables import Contraction
from fxpsim.kernels.mac.tile import Tile
from fxpsim.kernels.threads import Job, inline, later, parallel_for, threads

_NEAR_BYTES = 1 << 20  # of a panel of b that stays in the second-level cache between units
_WORTH_SHARING = 1 << 22  # products below which handing work to another thread costs more than it gains


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the sums in the registers become codes.

    Parameters
    ----------
    flush : bool
        Add the 32-bit sums to 64-bit sums after each segment, before they can overflow.
    split : bool
        The upper half of a tile's rows holds the products of the high parts of a, the lower half those of its low 8
        bits: a code is ``(high << 8) + low``.
    wrap : bool
        Wrap the exact sum into the range and count those that were outside.
    word : bool
        The accumulator is a signed word of 32 bits that wraps, and the parts of a split are below 2^31 without a
        flush: everything stays in 32 bits.
    floats : bool
        The result is the float sums themselves.
    """

    flush: bool = False
    split: bool = False
    wrap: bool = False
    word: bool = False
    floats: bool = False


_SOURCE = '''\
def {name}(begin, end, image, base, rows, cols, b, starts, out, pitch, first, columns, n_rows, block, segment, period,
           low, high, threshold, numbers, min_code, mask, notes):
    """{title}"""
    width = {width}
    tile_size = {rows} * width
    groups = cols.size
    n_tiles = rows.size // {rows}
    n_blocks = (n_tiles + block - 1) // block
    numbers_at = numbers.ctypes.data
    store = np.empty(block * tile_size + 16, np.{sum_type})
    skip = (-store.ctypes.data % 64) // {sum_size}
    sums = store[skip : skip + block * tile_size]
    origin = np.empty(tile_size, np.{sum_type})
    wide = np.empty({wide_size}, np.int64)
    for unit in range(begin, end):
        panel, tile0 = unit // n_blocks, unit % n_blocks * block
        copy = unit * len(image) // len(notes)
        a_at = image.ctypes.data + (copy * image.shape[1] + base{own}) * {a_size}
        tiles = min(block, n_tiles - tile0)
        count = np.int64(0)
        for i in range(tile_size):
            origin[i] = starts[panel, 0, i % width]
        for g in range(0, groups, segment):
            size = min(segment, groups - g)
            cols_at = cols.ctypes.data + g * 8
            b_at = b.ctypes.data + (panel * groups + g) * width * {b_size}
            for t in range(tiles):
                sums_at = sums.ctypes.data + t * tile_size * {sum_size}
                from_at = origin.ctypes.data if {restart} else sums_at
                rows_at = rows.ctypes.data + (tile0 + t) * {rows} * 8
                {call}
            {flush}
        n_cols = min(width, columns - panel * width)
        row0 = tile0 * {out_rows}
        valid = min(tiles * {out_rows}, n_rows - row0)
        smallest, largest = {zeros}
        {combine}
        {wrap}
        {store}
'''

# one tail for all drivers
_STORE = """if n_cols == pitch and n_cols == width:
            target = out[row0 * pitch : (row0 + valid) * pitch]
            for j in range(target.size):
                value = {value}
                target[j] = value
                {measure}
        else:
            for i in range(valid):
                at = (row0 + i) * pitch + first + panel * width
                target, line = out[at : at + n_cols], codes[i * width : i * width + n_cols]
                for j in range(target.size):
                    value = {line_value}
                    target[j] = value
                    {line_measure}
        notes[unit, 0] = count
        notes[unit, 1] = smallest
        notes[unit, 2] = largest"""

_CALL = "count += micro(from_at, sums_at, a_at, rows_at, cols_at, b_at, size, period, low, high, threshold, numbers_at)"

# The rows that fill up the last tile would be counted too: its rows go one by one.
_CALL_COUNTED = """whole = (tile0 + t + 1) * {rows} <= n_rows
                if whole:
                    count += micro(from_at, sums_at, a_at, rows_at, cols_at, b_at, size, period, low, high, threshold,
                                   numbers_at)
                for i in range(0 if whole else n_rows - (tile0 + t) * {rows}):
                    at = i * width * {sum_size}
                    count += micro_row(
                        from_at + at, sums_at + at, a_at, rows_at + i * 8, cols_at, b_at, size, period, low, high,
                        threshold, numbers_at)"""

_FLUSH = """for i in range(tiles * tile_size):
                wide[i] = (wide[i] if g else 0) + sums[i]
            after = min(g // segment + 1, starts.shape[1] - 1)
            for i in range(tile_size):
                origin[i] = starts[panel, after, i % width]"""

# codes of row i of a tile: (sum of the high parts << 8) + (sum of the low parts), half a tile further on
_SPLIT = """codes = np.empty(tiles * tile_size // 2, np.int64)
        half = tile_size // 2
        for t in range(tiles):
            high_part = {source}[t * tile_size : t * tile_size + half]
            low_part = {source}[t * tile_size + half : (t + 1) * tile_size]
            both = codes[t * half : (t + 1) * half]
            for i in range(both.size):
                both[i] = (np.int64(high_part[i]) << 8) + low_part[i]"""

# (high << 8) + low without 64 bits: high + (low >> 8) stays below 2^31, and leaves 24 bits if the sum leaves 32
_SPLIT_WORD = """codes = np.empty(tiles * tile_size // 2, np.int32)
        half = tile_size // 2
        for t in range(tiles):
            high_part = sums[t * tile_size : t * tile_size + half]
            low_part = sums[t * tile_size + half : (t + 1) * tile_size]
            both = codes[t * half : (t + 1) * half]
            outside = np.int32(0)
            for i in range(both.size if (t + 1) * {out_rows} <= valid else (valid - t * {out_rows}) * width):
                top = np.int32(high_part[i] + (low_part[i] >> 8))
                both[i] = np.int32(top << 8) | np.int32(low_part[i] & 255)
                outside += np.int32((top < -(1 << 23)) | (top >= 1 << 23))
            count += outside"""

# columns that fill up a panel are zero, which is in every range
WRAP = """inside = codes[: valid * width]
        for i in range(inside.size):
            code = np.int64(inside[i])
            wrapped = ((code - min_code) & mask) + min_code
            count += np.int64(wrapped != code)
            inside[i] = wrapped"""

_MEASURE = """code = np.{out_type}(value)
{indent}smallest = code if code < smallest else smallest
{indent}largest = code if code > largest else largest"""


def store_codes(out_type: str, convert: str, *, measured: bool = True) -> str:
    """Return the end of a driver: it stores the ``codes`` of a unit and notes the smallest and the largest."""
    return _STORE.format(
        value=convert.format("codes[j]"),
        line_value=convert.format("line[j]"),
        measure=_MEASURE.format(out_type=out_type, indent=" " * 16) if measured else "pass",
        line_measure=_MEASURE.format(out_type=out_type, indent=" " * 20) if measured else "pass",
    )


@lru_cache(maxsize=256)
def _compiled(tile: Tile, reading: Reading, out_type: str) -> Any:
    """Return the driver of a tile. The name says everything that its source does not: the micro-kernel's shape."""
    lane = tile.lane
    width = tile.vectors * lane.columns(cpu())
    kinds = [kind for kind in ("flush", "split", "wrap", "word", "floats") if getattr(reading, kind)]
    clamp = [] if tile.clamp == "none" else [tile.clamp] + ["checked"] * tile.checked + ["every"] * tile.every
    fused = ["fused"] * tile.fused + ["own"] * tile.own
    rounding = [] if tile.rounding == "none" else [tile.rounding]
    name = "_".join(["mac", lane.name, f"{tile.rows}x{tile.vectors}", *fused, *rounding, *clamp, *kinds, out_type])
    convert = "{}"
    if lane.sum_type.startswith("float") and not reading.floats:
        convert = "np.int64({})" if lane.sum_type == "float64" else "np.int32({})"
    sums = "wide" if reading.flush else "sums"
    out_rows = tile.rows // 2 if reading.split else tile.rows
    combine = f"codes = {sums}"
    if reading.split:
        combine = _SPLIT_WORD.format(out_rows=out_rows) if reading.word else _SPLIT.format(source=sums)
    numbers = {"rows": tile.rows, "sum_size": np.dtype(lane.sum_type).itemsize}
    out_type_name = f"np.{out_type}(0)"
    source = _SOURCE.format(
        **numbers,
        name=name,
        title=f"Drive {lane.name} tiles of {tile.rows} rows and {tile.vectors} x {cpu().vector_bits} bits.",
        call=_CALL if tile.clamp == "none" else _CALL_COUNTED.format(**numbers),
        restart="True" if reading.flush else "g == 0",
        out_rows=out_rows,
        width=width,
        own=" + panel * width" if tile.own else "",
        a_size=np.dtype(lane.a_type).itemsize,
        b_size=lane.group * np.dtype(lane.b_type).itemsize,
        sum_type=lane.sum_type,
        wide_size="block * tile_size" if reading.flush else "1",
        flush=_FLUSH if reading.flush else "pass",
        combine=combine,
        wrap=WRAP if reading.wrap else "pass",
        zeros="0, 0" if reading.floats else f"{out_type_name}, {out_type_name}",
        store=store_codes(out_type, convert, measured=not reading.floats),
    )
    row = replace(tile, rows=1)
    return compile_source(name, source, {"np": np, "micro": micro_kernel(tile), "micro_row": micro_kernel(row)})


@lru_cache(maxsize=256)
def tile_rows(contraction: Contraction, rows: int, split: bool) -> np.ndarray:
    """Return the row offsets, tile by tile; the last tile repeats the last row."""
    table = contraction.rows
    each = rows // 2 if split else rows
    missing = -table.size % each
    table = np.concatenate([table, np.repeat(table[-1:], missing)]).reshape(-1, each)
    if split:
        table = np.concatenate([table, table + contraction.frame.size], axis=1)
    return np.ascontiguousarray(table.reshape(-1))


@lru_cache(maxsize=256)
def tile_shape(columns: int, lane_columns: int, registers: int) -> tuple[int, int]:
    """Return (rows, vectors) of the tile for a result with this many columns.

    Wide tiles use the loads of a better; a panel that is mostly filling wastes more than they gain. The
    accumulators, one row of b and one element of a must fit into the registers.
    """
    if registers < 32:
        return (6, 1) if columns <= lane_columns else (6, 2)
    shapes = {1: (8, 1.4), 2: (8, 1.1), 4: (6, 1.0)}  # vectors: rows, time per vector and row
    needed = -(-columns // lane_columns)
    vectors = min(shapes, key=lambda v: -(-needed // v) * v * shapes[v][1])
    return shapes[vectors][0], vectors


def units_of(n_tiles: int, packed: Packed) -> tuple[int, int]:
    """Return (tiles of a block, work units): blocks of up to 16 tiles, but enough units for all threads.

    Every unit reads a panel of b. Where that comes from afar, a unit does more with it.
    """
    each = 4 if packed.data.nbytes <= packed.panels * _NEAR_BYTES else 2
    block = max(1, min(16, n_tiles * packed.panels // (each * threads())))
    return block, packed.panels * -(-n_tiles // block)


def share_tiles(work: int) -> Any:
    """Return how to run the units of so many products: by all threads, or by this one alone."""
    return parallel_for if work >= _WORTH_SHARING else inline


@kernel
def summary(notes):
    """Return (overflowed, largest magnitude of the codes) of all units."""
    overflowed, largest = np.int64(0), np.int64(0)
    for i in range(len(notes)):
        overflowed += notes[i, 0]
        largest = max(largest, -notes[i, 1], notes[i, 2])
    return overflowed, largest


class LaterRun:
    """A run that idle threads may still be working on; calling it finishes it.

    Parameters
    ----------
    notes : ndarray
        See :class:`TileRun`.
    job : Job, optional
        Their work; None if all is done.
    """

    __slots__ = ("_job", "_notes")

    def __init__(self, notes: np.ndarray, job: Job | None) -> None:
        self._notes, self._job = notes, job

    @property
    def is_done(self) -> bool:
        """Whether a call would return at once."""
        return self._job is None or self._job.is_done

    def __call__(self) -> tuple[int, int]:
        """Take part in the work until it is done; return (overflowed, largest magnitude of the codes)."""
        if self._job is not None:
            self._job.wait()
        return summary(self._notes)


@dataclass(frozen=True, kw_only=True)
class TileRun:
    """A driver with its arguments, ready to run.

    Parameters
    ----------
    kernel : dispatcher
        The driver.
    units : int
        Its work units.
    arguments : tuple
    notes : ndarray, (units, 3)
        Where it notes what :func:`summary` reads.
    work : int
        Products.
    """

    kernel: Any
    units: int
    arguments: tuple[Any, ...]
    notes: np.ndarray
    work: int

    def now(self) -> tuple[int, int]:
        """Run and return (overflowed, largest magnitude of the codes)."""
        share_tiles(self.work)(self.kernel, self.units, *self.arguments)
        return summary(self.notes)

    def later(self) -> LaterRun:
        """Leave the work to idle threads; return what finishes it and returns what :meth:`now` does."""
        return LaterRun(self.notes, later(self.kernel, self.units, *self.arguments))


def prepared_tiles(
    tile: Tile,
    reading: Reading,
    contraction: Contraction,
    cols: np.ndarray,
    image: np.ndarray,
    base: int,
    packed: Packed,
    out: np.ndarray,
    *,
    first: int,
    columns: int,
    starts: np.ndarray | None = None,
    segment: int,
    period: int = 1,
    low: int | float = 0,
    high: int | float = 0,
    threshold: int = 0,
    numbers: tuple[int, ...] = (0,),
    min_code: int = 0,
    mask: int = -1,
) -> TileRun:
    """Prepare the execution of one group.

    Parameters
    ----------
    tile, reading : Tile, Reading
    contraction : Contraction
    cols : ndarray of int64
        Offset of each group of k.
    image : ndarray, flat, or (copies, elements)
        The operand a in its frame. Of several copies each thread reads one of its own.
    base : int
        Where the group begins in ``image``.
    packed : Packed
        The operand b.
    out : ndarray, (M, all columns), contiguous
    first, columns : int
        The group's columns in ``out``.
    starts : ndarray, (panels, 1 or segments, width)
        What each segment's sums start from.
    segment : int
        Groups of k per segment.
    period : int
        Groups between two clamps.
    low, high : number
        Limits of the clamp.
    threshold : int
        Magnitude up to which a chunk of a checked tile needs no clamp.
    numbers : tuple of int
        Numbers of the rounding's formula.
    min_code, mask : int
        Smallest code and bits of a word that wraps.
    """
    sum_type = np.dtype(tile.lane.sum_type).type
    rows = tile_rows(contraction, tile.rows, reading.split)
    n_tiles = rows.size // tile.rows
    if starts is None:
        starts = np.zeros((packed.panels, 1, packed.width), sum_type)
    block, units = units_of(n_tiles, packed)
    notes = np.empty((units, 3), np.int64)
    arguments = (
        image.reshape(-1, image.shape[-1]),
        base,
        rows,
        cols,
        packed.data,
        starts,
        out.reshape(-1),
        out.shape[1],
        first,
        columns,
        contraction.rows.size,
        block,
        segment,
        period,
        sum_type(low),
        sum_type(high),
        sum_type(threshold),
        np.array(numbers, np.int32),
        min_code,
        mask,
        notes,
    )
    work = contraction.rows.size * cols.size * tile.lane.group * columns
    driver = _compiled(tile, reading, out.dtype.name)
    return TileRun(kernel=driver, units=units, arguments=arguments, notes=notes, work=work)
