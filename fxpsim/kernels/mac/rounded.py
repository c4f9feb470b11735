"""The lane of rounded products: 32-bit integers, one product after the other, each rounded before it is added.

Let ``P = a_bound * b_bound`` and s the dropped bits. A rounded product is at most ``R = (P >> s) + 1``, and K of them
add up to at most ``K * R`` (from the formats) or ``(max |a| * largest column sum of |b| >> s) + K`` (from the data).

- The products and what their rounding adds stay within 32 bits: ``P + 2^s <= 2^31``.
- If no prefix can leave the accumulator's range, or if it wraps, the exact sum decides: in 32 bits where the bound
  above allows it, otherwise in segments of K that are flushed into 64 bits.
- Saturation after each product (or chunk) is done in 32 bits if the largest code plus one product (chunk) fits. If
  twice the range does, too, sums are checked together and clamped only where one has left the range.

A product of the padding is zero and rounds to zero, so it need not be told from products that do not exist, except by
``jam``: that takes this lane only without padding, and only if the sums of the columns that fill up a panel (K ones)
stay in range and are not counted.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac.bounds import Bounds, fits, holds
from fxpsim.kernels.mac.frames import image_of
from fxpsim.kernels.mac.packing import Packed, pack
from fxpsim.kernels.mac.rounding import LARGEST_SHIFT, formula
from fxpsim.kernels.mac.spec import MacSpec
from fxpsim.kernels.mac.tables import single
from fxpsim.kernels.mac.task import Task, merged
from fxpsim.kernels.mac.tile import ROUND16, ROUND32, Lane, Tile
from fxpsim.kernels.mac.tiles import Reading, run_tiles
from fxpsim.numerics import Overflow, Rounding

_INT32 = 1 << 31
_CACHED = 512  # products per segment: the shared part of b stays in the second-level cache
_LARGEST_OPERAND = 1 << 24  # 128 of them are added up in 32 bits when b is measured


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the sums of rounded products become codes; ``segment`` and ``period`` as in ``run_tiles``."""

    reading: Reading
    clamp: str
    segment: int
    period: int


def rounded(task: Task, spec: MacSpec, bounds: Bounds, out: np.ndarray) -> tuple[int, int] | None:
    """Round the products in 32 bits and add them; None where that is not proven to give the accumulator's codes."""
    if not _takes(task, spec, bounds):
        return None
    lane = _lane(task, bounds)
    if spec.step == 1 and spec.rounding is not Rounding.JAM:
        task = merged(task, lane.columns(cpu()))
    grouping = single(task.contraction, lane.group)
    rows, vectors = _shape(task.n, lane.columns(cpu()), cpu().registers)
    packed = [pack(b, grouping, lane, vectors) for b in task.b]
    plan = _plan(task, spec, bounds, packed)
    if plan is None:
        return None
    kind, numbers = formula(spec.rounding, spec.product_shift)
    span = spec.max_code - spec.min_code
    every = plan.clamp != "none" and spec.step == 1 and span + (bounds.product >> spec.product_shift) + 1 < _INT32
    tile = Tile(lane=lane, rows=rows, vectors=vectors, clamp=plan.clamp, every=every, rounding=kind)
    image = image_of(task.a, task.contraction.frame, lane.a_type, slack=lane.group - 1)
    limits = (0, 0) if plan.clamp == "none" else (spec.min_code, spec.max_code)
    overflowed, max_abs = 0, 0
    for group, part in enumerate(packed):
        notes = run_tiles(
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
            segment=plan.segment,
            period=plan.period,
            low=limits[0],
            high=limits[1],
            min_code=spec.min_code,
            mask=(1 << spec.word_bits) - 1 if spec.word_bits < 64 else -1,
            numbers=numbers,
        )
        overflowed, max_abs = overflowed + notes[0], max(max_abs, notes[1])
    return overflowed, max_abs


def _plan(task: Task, spec: MacSpec, bounds: Bounds, packed: list[Packed]) -> Plan | None:
    """Return how to get from sums to codes; None if 32 bits do not hold a saturating sum."""
    product = (bounds.product >> spec.product_shift) + 1
    largest = min(bounds.k * product, _from_data(task, spec, packed))
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


def _takes(task: Task, spec: MacSpec, bounds: Bounds) -> bool:
    """Return whether the lane rounds these products."""
    if spec.rounding.is_stochastic or not 0 <= spec.product_shift <= LARGEST_SHIFT:
        return False
    if spec.rounding is Rounding.JAM and not (task.contraction.frame.holds(task.a.shape) and task.k <= spec.max_code):
        return False
    operands = max(bounds.a, bounds.b) < _LARGEST_OPERAND
    return operands and bounds.product + (1 << spec.product_shift) <= _INT32


def _lane(task: Task, bounds: Bounds) -> Lane:
    narrow = fits(task.a, bounds.a, 16, True) and fits(task.b[0], bounds.b, 16, True)
    return ROUND16 if narrow and cpu().pairs != "none" else ROUND32


def _from_data(task: Task, spec: MacSpec, packed: list[Packed]) -> int:
    """Return a bound of the sum of the magnitudes of rounded products."""
    a_max = max(int(task.a.max()), -int(task.a.min()))
    return (a_max * max(part.magnitude for part in packed) >> spec.product_shift) + task.k


@lru_cache(maxsize=256)
def _shape(columns: int, lane_columns: int, registers: int) -> tuple[int, int]:
    """Return (rows, vectors) of the tile.

    A product takes five to nine instructions, so that loads matter less than registers for limits and numbers.
    """
    return (6 if registers >= 32 else 4), (1 if columns <= lane_columns else 2)
