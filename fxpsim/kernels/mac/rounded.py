"""The lane of rounded products: 32-bit integers, one product after the other, each rounded before it is added.

Let ``P = a_bound * b_bound`` and s the dropped bits. A rounded product is at most ``R = (P >> s) + 1``, and K of them
add up to at most ``K * R`` (from the formats) or ``(max |a| * largest column sum of |b| >> s) + K`` (from the data).

- The products and what their rounding adds stay within 32 bits: ``P + 2^s <= 2^31``.
- If no prefix can leave the accumulator's range, or if it wraps, the exact sum decides: in 32 bits where the bound
  above allows it, otherwise in segments of K that are flushed into 64 bits.
- Halves to even come out of a fused multiply-add (:func:`fxpsim.kernels.mac.rounding.nearest_product`) if the
  operands have up to 24 bits and the rounded products up to 22.
- Saturation after each product (or chunk) is done in 32 bits if the largest code plus one product (chunk) fits. If
  twice the range does, too, sums are checked together and clamped only where one has left the range.

A product of the padding is zero and rounds to zero, so it need not be told from products that do not exist, except by
``jam``: that takes this lane only without padding, and only if the sums of the columns that fill up a panel (K ones)
stay in range and are not counted.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fxpsim.kernels.extent import largest_magnitude, some_magnitude
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac.bounds import Bounds, fits, holds
from fxpsim.kernels.mac.frames import copies_of, image_of
from fxpsim.kernels.mac.packing import Packed, largest_column, pack, some_column
from fxpsim.kernels.mac.rounding import LARGEST_SHIFT, NEAREST_OPERAND, NEAREST_PRODUCT, formula, nearest_anchor
from fxpsim.kernels.mac.spec import MacSpec
from fxpsim.kernels.mac.tables import single
from fxpsim.kernels.mac.task import Task, merged
from fxpsim.kernels.mac.tile import CHUNK, NEAREST, ROUND16, ROUND32, Lane, Tile
from fxpsim.kernels.mac.tiles import Reading, prepared_tiles
from fxpsim.numerics import Overflow, Rounding

_INT32 = 1 << 31
_CACHED = 512  # products per segment: the shared part of b stays in the second-level cache
_LARGEST_OPERAND = 1 << 24  # 128 of them are added up in 32 bits when b is measured


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the sums of rounded products become codes; ``segment`` and ``period`` as in ``prepared_tiles``."""

    reading: Reading
    clamp: str
    segment: int
    period: int


def rounded(task: Task, spec: MacSpec, bounds: Bounds, out: np.ndarray) -> tuple[int, int] | None:
    """Round the products in 32 bits and add them; None where that is not proven to give the accumulator's codes."""
    lane = _lane(task, spec, bounds)
    if lane is None:
        return None
    if spec.step == 1 and spec.rounding is not Rounding.JAM:
        task = merged(task, lane.columns(cpu()))
    grouping = single(task.contraction, lane.group, even=lane is NEAREST)
    rows, vectors = _shape(task.n, lane.columns(cpu()), cpu().registers)
    decided = holds(spec, bounds.k * _largest(spec, bounds), bounds.nonnegative)
    packed = [pack(b, grouping, lane, vectors) for b in task.b]
    plan = _plan(task, spec, bounds, None if decided else packed)
    if plan is None:
        return None
    kind, numbers = formula(spec.rounding, spec.product_shift)
    span = spec.max_code - spec.min_code
    every = plan.clamp != "none" and spec.step == 1 and span + _largest(spec, bounds) < _INT32
    starts = None
    if lane is NEAREST:
        kind, numbers = "nearest", (nearest_anchor(spec.product_shift), 0, 0, 1)
        if plan.clamp == "none":
            starts = _anchored(numbers[0], grouping.offsets.size, plan, packed[0])
    tile = Tile(lane=lane, rows=rows, vectors=vectors, clamp=plan.clamp, every=every, rounding=kind)
    frame = task.contraction.frame
    image = copies_of(task.a, frame, lane.a_type) if lane is NEAREST else None
    if image is None:
        image = image_of(task.a, frame, lane.a_type, slack=lane.group - 1)
    limits = (0, 0) if plan.clamp == "none" else (spec.min_code, spec.max_code)
    overflowed, max_abs = 0, 0
    for group, part in enumerate(packed):
        notes = prepared_tiles(
            tile,
            plan.reading,
            task.contraction,
            grouping.offsets,
            image,
            group * task.contraction.group_base,
            part,
            out,
            first=group * task.n,
            columns=task.n,
            starts=starts,
            segment=plan.segment,
            period=CHUNK if lane is NEAREST and every else plan.period,
            low=limits[0],
            high=limits[1],
            min_code=spec.min_code,
            mask=(1 << spec.word_bits) - 1 if spec.word_bits < 64 else -1,
            numbers=numbers,
        ).now()
        overflowed, max_abs = overflowed + notes[0], max(max_abs, notes[1])
    return overflowed, max_abs


def _largest(spec: MacSpec, bounds: Bounds) -> int:
    """Return the largest magnitude of a rounded product."""
    return (bounds.product >> spec.product_shift) + 1


def _anchored(anchor: int, groups: int, plan: Plan, packed: Packed) -> np.ndarray:
    """Return what takes the anchors of all products away again, modulo 2^32, for each segment that starts anew."""
    sizes = np.array([groups])
    if plan.reading.flush:
        sizes = np.minimum(plan.segment, groups - np.arange(0, groups, plan.segment))
    starts = (-anchor * sizes).astype(np.int32)
    return np.ascontiguousarray(np.broadcast_to(starts[:, None], (packed.panels, sizes.size, packed.width)))


def _plan(task: Task, spec: MacSpec, bounds: Bounds, packed: list[Packed] | None) -> Plan | None:
    """Return how to get from sums to codes; None if 32 bits do not hold a saturating sum."""
    product = _largest(spec, bounds)
    largest = bounds.k * product
    if packed:
        largest = _from_data(task, spec, packed, largest)
    proven = holds(spec, largest, bounds.nonnegative)
    if proven or spec.overflow is Overflow.WRAP:
        # an unsigned accumulator may wrap a small negative sum to a code that only 64 bits hold
        flush = largest >= _INT32 or (not proven and spec.max_code >= _INT32)
        segment = max(1, min(_CACHED, (_INT32 - 1) // product)) if flush else _CACHED
        return Plan(reading=Reading(flush=flush, wrap=not proven), clamp="none", segment=segment, period=1)
    reach = max(spec.max_code, -spec.min_code) + min(spec.step, bounds.k) * product
    if spec.overflow is Overflow.WRAP_SIGN_MAGNITUDE or reach >= _INT32:
        return None
    clamp = "zero" if spec.overflow is Overflow.SATURATE_ZERO else "saturate"
    segment = max(1, _CACHED // spec.step) * spec.step
    return Plan(reading=Reading(), clamp=clamp, segment=segment, period=spec.step)


def _lane(task: Task, spec: MacSpec, bounds: Bounds) -> Lane | None:
    """Return the fastest lane that rounds these products; None if there is none."""
    shift = spec.product_shift
    if spec.rounding.is_stochastic or not 0 <= shift <= LARGEST_SHIFT:
        return None
    if _nearest(spec, bounds):
        return NEAREST
    if spec.rounding is Rounding.JAM and not (task.contraction.frame.holds(task.a.shape) and task.k <= spec.max_code):
        return None
    if max(bounds.a, bounds.b) >= _LARGEST_OPERAND or bounds.product + (1 << shift) > _INT32:
        return None
    narrow = fits(task.a, bounds.a, 16, True) and fits(task.b[0], bounds.b, 16, True)
    return ROUND16 if narrow and cpu().pairs != "none" else ROUND32


def _nearest(spec: MacSpec, bounds: Bounds) -> bool:
    """Return whether a fused multiply-add rounds these products, and its bits hold a saturating sum."""
    product = _largest(spec, bounds)
    most = bounds.product + (1 << spec.product_shift >> 1) >> spec.product_shift
    exact = max(bounds.a, bounds.b) <= NEAREST_OPERAND and most <= NEAREST_PRODUCT
    if spec.rounding is not Rounding.HALF_EVEN or spec.product_shift < 1 or not (exact and cpu().fma):
        return False
    if spec.overflow is Overflow.SATURATE_ZERO:
        return False
    if spec.step > 1 or spec.overflow is Overflow.WRAP:
        return True
    return spec.max_code - spec.min_code + product + nearest_anchor(spec.product_shift) < _INT32


def _from_data(task: Task, spec: MacSpec, packed: list[Packed], largest: int) -> int:
    """Return a bound of the sum of the magnitudes of rounded products, at most ``largest``."""

    def bound(code: int, column: int) -> int:
        return (code * column >> spec.product_shift) + task.k

    if packed[0].measured:
        column = max(part.magnitude for part in packed)
    elif spec.overflow is not Overflow.WRAP and bound(some_magnitude(task.a), some_column(task.b[0])) > spec.max_code:
        return largest  # a few codes tell in most cases that the data proves nothing
    else:
        column = max(largest_column(b) for b in task.b)
    return min(largest, bound(largest_magnitude(task.a), column))


@lru_cache(maxsize=256)
def _shape(columns: int, lane_columns: int, registers: int) -> tuple[int, int]:
    """Return (rows, vectors) of the tile.

    A product takes five to nine instructions, so that loads matter less than registers for limits and numbers.
    """
    return (6 if registers >= 32 else 4), (1 if columns <= lane_columns else 2)
