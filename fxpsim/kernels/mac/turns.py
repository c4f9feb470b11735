r"""Sums beyond 64 bits: count those that are out of range, by their distance from a sum of floats.

A 64-bit sum that overflows is right modulo 2^64, and so is a shorter word made of it. The same sum in binary64 is off
by less than ``K^2 P 2^-52`` for K products up to P, as each of 2 K roundings is off by at most ``K P 2^-53``: by 2^44
for 2^17 products of 2^62. A code that is the sum itself is that near; any other is a multiple of ``2**word_bits``
away.
"""

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac.bounds import Bounds
from fxpsim.kernels.mac.frames import image_of
from fxpsim.kernels.mac.packing import pack
from fxpsim.kernels.mac.spec import MacSpec
from fxpsim.kernels.mac.tables import grouped
from fxpsim.kernels.mac.task import Task
from fxpsim.kernels.mac.tile import FLOAT64, Tile
from fxpsim.kernels.mac.tiles import Reading, prepared_tiles, tile_shape

_CACHED = 1024


@kernel
def _away(codes, sums, near):
    """Count the codes that are not the sums, but farther away than these are rounded."""
    count = 0
    for i in range(codes.size):
        count += abs(sums[i] - np.float64(codes[i])) >= near
    return count


def tells(spec: MacSpec, bounds: Bounds) -> bool:
    """Return whether rounding takes less than a quarter of the distance between two sums of the same code."""
    return bounds.k**2 * bounds.product >> 52 < 1 << max(0, spec.word_bits - 2)


def turned(task: Task, spec: MacSpec, out: np.ndarray) -> int:
    """Return how many sums differ from their codes, which an accumulator of at most 64 bits wrapped.

    Parameters
    ----------
    task : Task
        Operands of at most 32 bits.
    spec : MacSpec
        The accumulator.
    out : ndarray, (M, N)
        The codes: the sums modulo ``2**word_bits``.
    """
    rows, vectors = tile_shape(task.n, FLOAT64.columns(cpu()), cpu().registers)
    grouping = grouped(task.contraction, 1)
    image = image_of(task.a, task.contraction.frame, FLOAT64.a_type, slack=0)
    sums = np.empty(out.shape, np.float64)
    for group, b in enumerate(task.b):
        prepared_tiles(
            Tile(lane=FLOAT64, rows=rows, vectors=vectors),
            Reading(floats=True),
            task.contraction,
            grouping.offsets,
            image,
            group * task.contraction.group_base,
            pack(b, grouping, FLOAT64, vectors),
            sums,
            first=group * task.n,
            columns=task.n,
            segment=_CACHED,
        ).now()
    return int(_away(out.reshape(-1), sums.reshape(-1), 2.0 ** (spec.word_bits - 1)))
