"""Which lane executes a task: the fastest one that is proven to give the accumulator's codes.

Three questions decide.

1. *Can a running sum leave the accumulator's range at all?* No prefix of a sum exceeds the sum of the products'
   magnitudes, which is at most ``K * a_bound * b_bound`` (from the formats), and at most ``max |a|`` times the
   largest column sum of ``|b|`` (from the data; packing b measures it). Of wide words the norms of rows and columns
   are measured, too (:mod:`fxpsim.kernels.mac.norms`). If that fits, or if the accumulator wraps, the exact sum decides
   alone, in any order.
2. *Which lane adds exactly?* The narrowest that holds the operands; see :func:`exact_lane`. Where its 32-bit sums
   could overflow, K is cut into segments that are flushed into 64 bits, and wide operands are split.
3. *Otherwise* every step (or chunk) visits the overflow logic, in the narrowest lane that adds one step exactly.

Products that are rounded have a lane of their own (:mod:`fxpsim.kernels.mac.rounded`). Whatever is too wide for all of
this goes through the stepwise kernel, and so do stochastic roundings. ``FXPSIM_MAC=blas``
puts the reference path in front of all lanes.
"""

from dataclasses import dataclass, replace

import numpy as np

from fxpsim.kernels.extent import largest_magnitude
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac import blas, stepwise
from fxpsim.kernels.mac.bounds import Bounds, fits, holds
from fxpsim.kernels.mac.estimated import estimated
from fxpsim.kernels.mac.frames import framed, image_of
from fxpsim.kernels.mac.losses import NONE_LOST, losses, products
from fxpsim.kernels.mac.norms import largest_sum
from fxpsim.kernels.mac.packing import Packed, pack
from fxpsim.kernels.mac.phases import has_phases, phases, put
from fxpsim.kernels.mac.rounded import rounded
from fxpsim.kernels.mac.spec import MacResult, MacSpec, Unfinished
from fxpsim.kernels.mac.tables import grouped
from fxpsim.kernels.mac.task import Task, gathered, merged, own_results
from fxpsim.kernels.mac.tile import CHUNK, DOT8, DOT16, FLOAT32, FLOAT64, INT64, QUAD8, QUAD16, Lane, Tile
from fxpsim.kernels.mac.tiles import Reading, TileRun, prepared_tiles, tile_shape
from fxpsim.kernels.mac.turns import tells, turned
from fxpsim.kernels.memory import empty
from fxpsim.numerics import Overflow

_INT32 = 1 << 31
_CACHED = 1024  # groups of k per segment: the shared part of b stays in the second-level cache
_BIAS = 128
_WRAPS = (Overflow.WRAP, Overflow.WRAP_SIGN_MAGNITUDE)


def exact_lane(task: Task, bounds: Bounds) -> Lane | None:
    """Return the fastest lane that adds the products exactly, with the help of flushes; None if there is none."""
    a_fits_8 = fits(task.a, bounds.a, 8, False) or fits(task.a, bounds.a, 8, True)
    if cpu().dot and a_fits_8 and fits(task.b[0], bounds.b, 8, True):
        return DOT8
    if fits(task.b[0], bounds.b, 16, True) and (_is_short(task, bounds) or fits(task.a, bounds.a, 16, False)):
        return DOT16  # unsigned words are split into bytes
    if bounds.total < FLOAT64.exact_below:
        return FLOAT64
    return INT64 if fits(task.a, bounds.a, 32, True) and fits(task.b[0], bounds.b, 32, True) else None


def _is_short(task: Task, bounds: Bounds) -> bool:
    """Return whether the codes of a fit into the signed words of ``dot16``."""
    return fits(task.a, bounds.a, 16, True)


def quad_lane(task: Task, lane: Lane) -> Lane:
    """Return the lane that spreads sums of few columns over a register, where k has runs that are long enough."""
    if lane not in (DOT8, DOT16) or not cpu().dot or not 1 < task.n <= lane.columns(cpu()):
        return lane
    contraction = task.for_group(lane.group)
    narrow, wide = (grouped(contraction, group).offsets.size for group in (DOT8.group, QUAD8.group))
    return lane if wide * QUAD8.spread > 1.1 * narrow else QUAD8 if lane is DOT8 else QUAD16


def clamped_lane(task: Task, spec: MacSpec, bounds: Bounds) -> Lane | None:
    """Return the fastest lane that brings the sum into range after every step; None if there is none."""
    limit = max(spec.max_code, -spec.min_code)
    reach = limit + spec.step * bounds.product
    whole = spec.step % DOT16.group == 0 and grouped(task.contraction, DOT16.group).is_whole
    short = _is_short(task, bounds) and fits(task.b[0], bounds.b, 16, True)
    if whole and reach < DOT16.exact_below and short:
        return DOT16
    # one fused multiply-add of codes rounds only sums that are out of range, and never back into it
    lone = spec.step == 1 and cpu().fma
    for lane in (FLOAT32, FLOAT64):
        operands = max(bounds.a, bounds.b) < lane.exact_below
        if operands and (limit if lone else reach) < lane.exact_below:
            return lane
    return None


def contract(task: Task, spec: MacSpec, a_bound: int, b_bound: int, *, later: bool = False) -> MacResult:
    """Execute a task on integer codes.

    Parameters
    ----------
    task : Task
    spec : MacSpec
        The accumulator.
    a_bound, b_bound : int
        Largest magnitude that the operands' formats allow.
    later : bool
        Whether idle threads may execute it until somebody asks for the finished result.

    Raises
    ------
    UserError
        If a product, or the sum of a chunk, can exceed 2^62.
    """
    stepwise.check_widths(spec, task.k, a_bound, b_bound)
    codes = empty(task.shape, spec.dtype)
    if not codes.size or not task.k:
        codes[...] = 0
        return MacResult(codes=codes, overflowed=0, max_abs=0)
    nonnegative = task.a.dtype.kind == "u" and task.b[0].dtype.kind == "u"
    bounds = Bounds(a=a_bound, b=b_bound, k=task.k, nonnegative=nonnegative)
    if has_phases(task, spec, bounds):
        notes = _by_phases(task, spec, bounds, codes)
    else:
        notes = _accumulated(task, spec, bounds, codes, later=later)
    if not isinstance(notes, tuple):
        return MacResult(codes=codes, overflowed=0, max_abs=0, products=products(task), unfinished=notes)
    lost = losses(task, spec, bounds) if spec.rounds else NONE_LOST
    return MacResult(
        codes=codes,
        overflowed=notes[0],
        max_abs=notes[1],
        products=products(task),
        flushed=lost.flushed + sum(notes[2:]),
        inexact=lost.inexact,
    )


def _by_phases(task: Task, spec: MacSpec, bounds: Bounds, codes: np.ndarray) -> tuple[int, int]:
    """Execute the phases of a strided input gradient one by one."""
    wide = merged(task, FLOAT32.columns(cpu()))
    assert wide.geometry is not None
    overflowed, max_abs = 0, 0
    for first, part in phases(wide):
        if part is None:
            codes[:, first[0] :: wide.geometry.stride[0], first[1] :: wide.geometry.stride[1]] = 0
            continue
        found = empty(part.shape, spec.dtype)
        notes = _accumulated(part, spec, replace(bounds, k=part.k), found)
        assert isinstance(notes, tuple)
        put(found, codes, first, wide.geometry.stride)
        overflowed, max_abs = overflowed + notes[0], max(max_abs, notes[1])
    return overflowed, max_abs


def _accumulated(
    task: Task, spec: MacSpec, bounds: Bounds, codes: np.ndarray, *, later: bool = False
) -> tuple[int, ...] | Unfinished:
    """Find the lane and run it: (overflowed, largest magnitude), and what vanished by chance if products did.

    ``later`` lets idle threads run it, where it is the exact sums of one group.
    """
    out = codes.reshape(-1, codes.shape[-1])
    notes: tuple[int, ...] | Unfinished | None = None
    if blas.wanted() and not spec.rounds:
        notes = _by_blas(task, spec, bounds, out)
    if notes is None and not spec.rounds:
        wide = merged(task, FLOAT32.columns(cpu())) if spec.step == 1 else task
        notes = _gathered(task, spec, bounds, codes) or _exact(wide, spec, bounds, out, later=later)
        if notes is None and spec.overflow not in _WRAPS:
            notes = _checked(wide, spec, bounds, out) or _clamped(wide, spec, bounds, out)
    if notes is None and spec.rounds:
        notes = rounded(task, spec, bounds, out)
    return _stepwise(task, spec, out) if notes is None else notes


@dataclass(frozen=True, kw_only=True)
class _ExactSums:
    """Prepared exact sums: a run of tiles per group, and whether their turns are to be counted afterwards."""

    runs: list[TileRun]
    turns: bool = False


def _exact(
    task: Task, spec: MacSpec, bounds: Bounds, out: np.ndarray, *, later: bool = False
) -> tuple[int, int] | Unfinished | None:
    """Take the exact sums, if they decide and a lane has them."""
    sums = _exact_sums(task, spec, bounds, out)
    if sums is None:
        return None
    if later and len(sums.runs) == 1 and not sums.turns:
        return sums.runs[0].later()
    overflowed, max_abs = 0, 0
    for run in sums.runs:
        notes = run.now()
        overflowed, max_abs = overflowed + notes[0], max(max_abs, notes[1])
    return turned(task, spec, out) if sums.turns else overflowed, max_abs


def _exact_sums(task: Task, spec: MacSpec, bounds: Bounds, out: np.ndarray) -> _ExactSums | None:
    """Prepare the exact sums."""
    lane = exact_lane(task, bounds)
    if lane is None:
        return None
    lane = quad_lane(task, lane)
    contraction = task.for_group(lane.group)
    grouping = grouped(contraction, lane.group)
    rows, vectors = (6, 1) if lane.spread > 1 else tile_shape(task.n, lane.columns(cpu()), cpu().registers)
    largest = bounds.total
    proven = holds(spec, largest, bounds.nonnegative)
    from_data = not proven or largest >= lane.exact_below
    bias = _BIAS if lane.b_type == "int8" and not fits(task.a, bounds.a, 8, False) else 0
    packed = [pack(b, grouping, lane, vectors, measured=from_data) for b in task.b]
    if from_data:
        a_max = largest_magnitude(task.a)
        largest = min(largest, a_max * max(part.magnitude for part in packed))
        if lane is INT64 and not holds(spec, largest, bounds.nonnegative):
            largest = min(largest, largest_sum(task))
        proven = holds(spec, largest, bounds.nonnegative)
        if not proven and spec.overflow is not Overflow.WRAP:
            return None
        if lane is INT64 and largest >= INT64.exact_below and not tells(spec, bounds):
            return None
        bounds = replace(bounds, a=max(1, min(bounds.a, a_max)))
    # an unsigned accumulator may wrap a small negative sum to a code that only 64 bits hold
    wide = largest >= _INT32 or (not proven and spec.max_code >= _INT32)
    long = lane.b_type == "int16" and not (_is_short(task, bounds) or (from_data and bounds.a < 1 << 15))
    split, segment = False, 0
    if long or (wide and lane.sum_type == "int32"):
        split, segment = _segments(lane, bounds, long, packed)
    if split and cpu().dot:
        runs = estimated(task, spec, packed, lane, (rows, vectors), proven, long, out)
        if runs is not None:
            return _ExactSums(runs=runs)
    word = split and not segment and not proven and spec.signed and spec.word_bits == 32
    reading = Reading(flush=segment > 0, split=split, wrap=not proven and not word, word=word)
    image = image_of(
        task.a,
        contraction.frame,
        lane.a_type,
        slack=0 if grouping.is_whole else lane.group,
        bias=bias,
        parts=("high", "low") if split else ("",),
    )
    runs = [
        prepared_tiles(
            Tile(lane=lane, rows=rows, vectors=vectors),
            reading,
            contraction,
            grouping.offsets,
            image,
            group * contraction.group_base,
            part,
            out,
            first=group * task.n,
            columns=task.n,
            starts=_starts(part, bias, segment // lane.segment) if bias else None,
            segment=segment or _CACHED,
            min_code=spec.min_code,
            mask=(1 << spec.word_bits) - 1 if spec.word_bits < 64 else -1,
        )
        for group, part in enumerate(packed)
    ]
    return _ExactSums(runs=runs, turns=lane is INT64 and largest >= INT64.exact_below)


def _gathered(task: Task, spec: MacSpec, bounds: Bounds, codes: np.ndarray) -> tuple[int, int] | None:
    """Take the exact sums of a weight gradient, a few groups at once; None where any sum leaves the range.

    That may be a sum across groups, which nobody asked for: whose it is would have to be known to count it.
    """
    wide = gathered(task, FLOAT32.columns(cpu()))
    if wide is None:
        return None
    found = empty(wide.shape, spec.dtype)
    notes = _exact(wide, spec, bounds, found.reshape(-1, found.shape[-1]))
    if not isinstance(notes, tuple) or notes[0]:
        return None
    own_results(found, task, codes)
    return 0, largest_magnitude(codes)


def _by_blas(task: Task, spec: MacSpec, bounds: Bounds, out: np.ndarray) -> tuple[int, int] | None:
    """Take the exact sums of the reference path, if they decide."""
    if spec.overflow is not Overflow.WRAP and not holds(spec, bounds.total, bounds.nonnegative):
        return None
    sums = blas.exact_sums(task, bounds.a, bounds.b)
    return None if sums is None else blas.finish(sums, spec, out)


def _segments(lane: Lane, bounds: Bounds, long: bool, packed: list[Packed]) -> tuple[bool, int]:
    """Return whether to split a, and after how many groups to flush (0: never), so that no 32-bit sum overflows.

    ``long`` codes of a have to be split anyway. Columns of b are seldom as large as their format allows, and packing
    has measured them.
    """
    whole, part = max(b.magnitude for b in packed), max(b.part for b in packed)
    for split in (True,) if long else (False, True):
        largest = 255 if split else bounds.a
        # the parts are put together in 64 bits, or in 32: then high + (low >> 8) has to stay below 2^31, too
        if split and (largest + 1) * whole < _INT32:
            return split, 0
        product = largest * bounds.b
        groups = max((_INT32 - 1) // (product * lane.group), lane.segment * ((_INT32 - 1) // (largest * part)))
        groups = groups // lane.segment * lane.segment
        if groups:
            return split, min(groups, _CACHED)
    raise AssertionError("256 products of 8 and 16 bits fit into 32 bits")


def _starts(packed: Packed, bias: int, each: int) -> np.ndarray:
    """Return what takes the bias of a away again: minus the bias times the column sums of b, modulo 2^32.

    ``each`` says how many segments of packing one of the sums has; 0 for all.
    """
    sums = packed.sums
    sums = np.add.reduceat(sums, np.arange(0, sums.shape[1], each or sums.shape[1]), axis=1)
    return (-bias * sums).astype(np.int32)


def _checked(task: Task, spec: MacSpec, bounds: Bounds, out: np.ndarray) -> tuple[int, int] | None:
    """Saturate after every product, optimistically; None where chunks could not pass the check anyway."""
    unsigned_bytes = cpu().dot and fits(task.a, bounds.a, 8, False) and fits(task.b[0], bounds.b, 8, True)
    lane = DOT8 if unsigned_bytes else DOT16
    words = fits(task.a, bounds.a, 16, True) and fits(task.b[0], bounds.b, 16, True)
    if not (unsigned_bytes or words) or spec.step > 1 or not spec.signed or spec.word_bits > 30:
        return None
    grouping = grouped(task.for_group(lane.group), lane.group)
    _, vectors = tile_shape(task.n, lane.columns(cpu()), cpu().registers)
    packed = [pack(b, grouping, lane, vectors) for b in task.b]
    a_max = largest_magnitude(task.a)
    variation = a_max * max(part.peak for part in packed)
    threshold = spec.max_code - (variation + 1) // 2
    if threshold <= 0 or spec.max_code + variation >= lane.exact_below:
        return None
    return _run_clamped(task, spec, out, lane, packed, CHUNK, threshold)


def _clamped(task: Task, spec: MacSpec, bounds: Bounds, out: np.ndarray) -> tuple[int, int] | None:
    """Visit the overflow logic after every step or chunk."""
    lane = clamped_lane(task, spec, bounds)
    if lane is None:
        return None
    grouping = grouped(task.for_group(lane.group), lane.group)
    _, vectors = tile_shape(task.n, lane.columns(cpu()), cpu().registers)
    packed = [pack(b, grouping, lane, vectors) for b in task.b]
    if spec.step == 1:
        return _run_clamped(task, spec, out, lane, packed, CHUNK, 0)
    return _run_clamped(task, spec, out, lane, packed, max(1, spec.step // lane.group), None)


def _run_clamped(
    task: Task, spec: MacSpec, out: np.ndarray, lane: Lane, packed: list[Packed], period: int, threshold: int | None
) -> tuple[int, int]:
    contraction = task.for_group(lane.group)
    grouping = grouped(contraction, lane.group)
    rows, vectors = tile_shape(task.n, lane.columns(cpu()), cpu().registers)
    clamp = "zero" if spec.overflow is Overflow.SATURATE_ZERO else "saturate"
    image = image_of(task.a, contraction.frame, lane.a_type, slack=0 if grouping.is_whole else lane.group)
    overflowed, max_abs = 0, 0
    for group, part in enumerate(packed):
        notes = prepared_tiles(
            Tile(lane=lane, rows=rows, vectors=vectors, clamp=clamp, checked=threshold is not None),
            Reading(),
            contraction,
            grouping.offsets,
            image,
            group * contraction.group_base,
            part,
            out,
            first=group * task.n,
            columns=task.n,
            segment=max(1, _CACHED // period) * period,
            period=period,
            low=spec.min_code,
            high=spec.max_code,
            threshold=threshold or 0,
        ).now()
        overflowed, max_abs = overflowed + notes[0], max(max_abs, notes[1])
    return overflowed, max_abs


def _stepwise(task: Task, spec: MacSpec, out: np.ndarray) -> tuple[int, int, int]:
    """Execute product after product; the third note is how many vanished by chance."""
    image = framed(task.a, task.contraction.frame, np.int64, stepwise.EMPTY).reshape(-1)
    overflowed = flushed = 0
    for group, b in enumerate(task.b):
        first = group * task.n
        outside, vanished = stepwise.accumulate(
            task.contraction,
            image,
            group * task.contraction.group_base,
            b,
            out[:, first : first + task.n],
            spec,
            first=first,
            columns=out.shape[1],
        )
        overflowed, flushed = overflowed + outside, flushed + vanished
    return overflowed, largest_magnitude(out), flushed
