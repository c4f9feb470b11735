r"""16-bit operands: the sum modulo 2^32 from one dot product, and where it lies from a coarse one of their high bytes.

A 32-bit accumulator of 16-bit products overflows, but wraps, so that it holds the right residue r. With any estimate
that is less than 2^31 wrong, r tells the sum itself: the only number that is congruent to r and so near. Bytes
estimate well enough, and a dot product of bytes costs half of one of words.

A signed word of a is ``a = 256 (u - 128) + v`` with bytes u and v; an unsigned one is 32768 more. A word of b is
``b = 256 h + l`` with the nearest byte h, so that l is in -128 ... 127 (up to 255 beside the largest codes). Then::

    sum a b = 65536 sum u h + 32768 sum l + (128 - 32768) sum b + error         (signed a; else + 32768 sum b)
    error   = sum (v - 128) b + 256 sum (u - 128) l
    |error| <= 128 sum |b| + 32768 sum |l|

The sums over b, l and their magnitudes are measured, column by column, while b is packed: a needs no measure. Where
they are too large, K is cut into segments, each of which has its own sum; a sum of K is then made of 64-bit ones.

Estimates are counted in units of 2^16. A signed accumulator of 32 bits that wraps keeps r itself, and only the counter
needs the estimate, in 32 bits: with ``x = estimate - (r >> 16)`` the sum is in range if and only if
``-32768 <= x < 32768``, because x is ``2^16`` times the turns round the circle, give or take less than ``2^15``. Where
the error is that small, ``sum |b|`` is below 2^24 and the estimate below 2^25, so that everything here fits 32 bits.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from fxpsim.kernels.jit import compile_source, kernel
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac.frames import image_of
from fxpsim.kernels.mac.micro import micro_kernel
from fxpsim.kernels.mac.packing import Packed, pack
from fxpsim.kernels.mac.spec import MacSpec
from fxpsim.kernels.mac.tables import grouped
from fxpsim.kernels.mac.task import Task
from fxpsim.kernels.mac.tile import DOT8, DOT16, QUAD8, QUAD16, Lane, Tile
from fxpsim.kernels.mac.tiles import WRAP, TileRun, store_codes, tile_rows, units_of
from fxpsim.numerics import Overflow

_ERROR_BELOW = (1 << 31) - (1 << 17)  # less than 2^16 is left away of the estimate, and of r where x is made
_CACHED = 4  # segments of packing that are summed at once: 2048 products
_UNSIGNED = 1 << 15
_BYTES = {DOT16.name: DOT8, QUAD16.name: QUAD8}

_SOURCE = '''\
def {name}(begin, end, image, tops, base, rows, cols, top_cols, b, top_b, starts, tops_starts, out, pitch, first,
           columns, n_rows, block, segment, min_code, mask, notes):
    """Drive tiles of words and of their high bytes, {rows} rows and {vectors} x {bits} bits."""
    width = {width}
    tile_size = {rows} * width
    groups, words = top_cols.size, cols.size
    n_tiles = rows.size // {rows}
    n_blocks = (n_tiles + block - 1) // block
    a_at, tops_at = image.ctypes.data + base * 2, tops.ctypes.data + base
    store = np.empty(2 * block * tile_size + 16, np.int32)
    skip = (-store.ctypes.data % 64) // 4
    sums = store[skip : skip + block * tile_size]
    coarse = store[skip + block * tile_size : skip + 2 * block * tile_size]
    origin = np.empty((2, tile_size), np.int32)
    start_at, tops_start_at, zero = origin.ctypes.data, origin[1].ctypes.data, np.int32(0)
    wide = np.empty({wide_size}, np.int64)
    for unit in range(begin, end):
        panel, tile0 = unit // n_blocks, unit % n_blocks * block
        tiles = min(block, n_tiles - tile0)
        n_cols = min(width, columns - panel * width)
        row0 = tile0 * {rows}
        valid = min(tiles * {rows}, n_rows - row0)
        count = np.int64(0)
        for s in range((groups + segment - 1) // segment):
            g = s * segment
            size = min(segment, groups - g)
            word0, word1 = words * g // groups, words * (g + size) // groups
            cols_at, top_cols_at = cols.ctypes.data + word0 * 8, top_cols.ctypes.data + g * 8
            b_at = b.ctypes.data + (panel * words + word0) * width * {group_bytes}
            top_b_at = top_b.ctypes.data + (panel * groups + g) * width * {group_bytes}
            anew = {anew}
            for i in range({rows}):
                origin[0, i * width : (i + 1) * width] = starts[panel, s if anew else 0]
                origin[1, i * width : (i + 1) * width] = tops_starts[panel, s if anew else 0]
            for t in range(tiles):
                sums_at, coarse_at = sums.ctypes.data + t * tile_size * 4, coarse.ctypes.data + t * tile_size * 4
                rows_at = rows.ctypes.data + (tile0 + t) * {rows} * 8
                micro(start_at if anew else sums_at, sums_at, a_at, rows_at, cols_at, b_at, word1 - word0, 1, zero,
                      zero, zero, 0)
                micro_top(tops_start_at if anew else coarse_at, coarse_at, tops_at, rows_at, top_cols_at, top_b_at,
                          size, 1, zero, zero, zero, 0)
            {flush}
        smallest, largest = {zeros}
        {combine}
        {wrap}
        {store}
'''

# the number congruent to the residue that is next to the estimate
_EXACT = """for i in range(tiles * tile_size):
{indent}    residue = np.int64(sums[i])
{indent}    gap = (np.int64(coarse[i]) << 16) - residue + (np.int64(1) << 31)
{indent}    wide[i] = residue + (gap >> 32 << 32){before}"""

_COUNT = """codes, near = sums[: valid * width], coarse[: valid * width]
        outside = np.int32(0)
        for i in range(codes.size):
            turns = np.int32(np.int32(near[i] - (codes[i] >> 16)) + 32768) >> 16
            outside += np.int32(turns != 0)
        count += outside"""


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How the two dot products become codes.

    Parameters
    ----------
    flush : bool
        Whether K is cut into segments; otherwise one sum of all K is estimated well enough.
    word : bool
        The residue is the code.
    wrap : bool
        Exact sums are wrapped.
    """

    flush: bool
    word: bool
    wrap: bool


@lru_cache(maxsize=64)
def _compiled(lane: Lane, rows: int, vectors: int, plan: _Plan, out_type: str) -> Any:
    """Return the driver of a lane of words and that of their bytes."""
    width = vectors * lane.columns(cpu())
    flush = plan.flush
    kinds = [kind for kind in ("flush", "word", "wrap") if getattr(plan, kind)]
    name = "_".join(["mac_estimated", lane.name, f"{rows}x{vectors}", *kinds, out_type])
    exact = _EXACT.format(indent=" " * (12 if flush else 8), before=" + (wide[i] if s else 0)" if flush else "")
    combine = _COUNT if plan.word else "codes = wide" if flush else exact + "\n        codes = wide"
    source = _SOURCE.format(
        name=name,
        rows=rows,
        vectors=vectors,
        bits=cpu().vector_bits,
        width=width,
        group_bytes=4 * lane.spread,
        wide_size="1" if plan.word else "block * tile_size",
        anew="True" if flush else "g == 0",
        flush=exact if flush else "pass",
        combine=combine,
        wrap=WRAP if plan.wrap else "pass",
        zeros=f"np.{out_type}(0), np.{out_type}(0)",
        store=store_codes(out_type, "{}"),
    )
    tile = Tile(lane=lane, rows=rows, vectors=vectors)
    top = Tile(lane=_BYTES[lane.name], rows=rows, vectors=vectors)
    return compile_source(name, source, {"np": np, "micro": micro_kernel(tile), "micro_top": micro_kernel(top)})


def estimated(
    task: Task,
    spec: MacSpec,
    packed: list[Packed],
    lane: Lane,
    shape: tuple[int, int],
    proven: bool,
    long: bool,
    out: np.ndarray,
) -> list[TileRun] | None:
    """Prepare exact sums of 16-bit operands, an estimate beside each; None where columns of b are too large for that.

    Parameters
    ----------
    task, spec, out
        As for :func:`fxpsim.kernels.mac.dispatch.contract`.
    packed : list of Packed
        The operand b, packed for the lane.
    lane : Lane
        ``dot16`` or ``quad16``.
    shape : (rows, vectors)
        Of the tile.
    proven : bool
        Whether no sum leaves the accumulator's range.
    long : bool
        Whether codes of a are unsigned words that signed ones do not hold.
    """
    top_lane = _BYTES[lane.name]
    contraction = task.for_group(lane.group)
    words, bytes_ = grouped(contraction, lane.group), grouped(contraction, top_lane.group)
    tops = [pack(b, bytes_, top_lane, shape[1], high=True) for b in task.b]
    each = _together(packed, tops, words.offsets.size == 2 * bytes_.offsets.size)
    if each is None:
        return None
    word = not each and spec.word_bits == 32 and spec.signed and spec.overflow is Overflow.WRAP
    plan = _Plan(flush=each > 0, word=word, wrap=not (proven or word))
    frame, slack = contraction.frame, 0 if bytes_.is_whole else top_lane.group
    image = image_of(task.a, frame, "int16", slack=slack, bias=-_UNSIGNED if long else 0)
    top_image = image_of(task.a, frame, "uint8", slack=slack, bias=0 if long else 128, parts=("top",))
    run = _compiled(lane, *shape, plan, out.dtype.name)
    rows = tile_rows(contraction, shape[0], False)
    runs = []
    for group, (part, top) in enumerate(zip(packed, tops, strict=True)):
        starts, tops_starts = _starts(part, top, each, long)
        block, units = units_of(rows.size // shape[0], part)
        notes = np.empty((units, 3), np.int64)
        arguments = (
            image,
            top_image,
            group * contraction.group_base,
            rows,
            words.offsets,
            bytes_.offsets,
            part.data,
            top.data,
            starts,
            tops_starts,
            out.reshape(-1),
            out.shape[1],
            group * task.n,
            task.n,
            task.m,
            block,
            (each or _CACHED) * top_lane.segment,
            spec.min_code,
            (1 << spec.word_bits) - 1 if spec.word_bits < 64 else -1,
            notes,
        )
        work = task.m * task.k * task.n
        runs.append(TileRun(kernel=run, units=units, arguments=arguments, notes=notes, work=work))
    return runs


def _together(packed: list[Packed], tops: list[Packed], aligned: bool) -> int | None:
    """Return how many segments of packing are estimated at once: 0 for all; None if not even one is.

    ``aligned`` tells that two groups of words hold the codes of one group of bytes, so that both can be cut.
    """
    for each in (0, *range(_CACHED, 0, -1)) if aligned else (0,):
        if all(_error(part.sizes, top.sizes, each) < _ERROR_BELOW for part, top in zip(packed, tops, strict=True)):
            return each
    return None


@kernel
def _error(sizes, rests, each):
    """Bound the error of all estimates: ``128 sum |b| + 32768 sum |l|`` of a column and ``each`` segments (0: all)."""
    panels, segments, width = rests.shape
    step = each if each else segments
    worst = np.int64(0)
    total = np.empty(width, np.int64)
    for panel in range(panels):
        for g in range(0, segments, step):
            total[:] = 0
            for s in range(g, min(g + step, segments)):
                line = rests[panel, s]
                for j in range(width):
                    total[j] += 32768 * line[j]
            for s in range(2 * g if each else 0, min(2 * (g + step), sizes.shape[1]) if each else sizes.shape[1]):
                line = sizes[panel, s]
                for j in range(width):
                    total[j] += 128 * line[j]
            for j in range(width):
                worst = max(worst, total[j])
    return worst


def _added(sums: np.ndarray, each: int) -> np.ndarray:
    """Add up every so many of (panels, segments of packing, width); 0 for all."""
    return np.add.reduceat(sums, np.arange(0, sums.shape[1], each or sums.shape[1]), axis=1)


def _starts(part: Packed, top: Packed, each: int, long: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return what residues and estimates start from: (panels, segments, width)."""
    b, rest = _added(part.sums, 2 * each), _added(top.sums, each)
    shift = _UNSIGNED if long else 0
    near = _UNSIGNED * rest + (128 - _UNSIGNED + shift) * b
    return (shift * b).astype(np.int32), (near >> 16).astype(np.int32)
