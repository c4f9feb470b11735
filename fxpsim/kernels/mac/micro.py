"""The micro-kernel: a tile of accumulators in vector registers, written as LLVM IR.

A tile has ``rows`` x ``vectors`` registers. One step of the loop, for one group g of consecutive k::

                     b[g]:  vector 0   vector 1        one group of each column, packed side by side
                            ---------  ---------
    a[row 0 + cols[g]] ->   acc[0][0]  acc[0][1]       the group of a row, repeated in all lanes,
    a[row 1 + cols[g]] ->   acc[1][0]  acc[1][1]       is multiplied with every column at once
    ...

so every load of b serves all rows and every load of a serves all columns. A group is what one lane of the
instruction contracts: four 8-bit products (vpdpbusd), two 16-bit products (vpdpwssd, vpmaddwd) or one product
(fused multiply-add). The accumulators are loaded from one small array and stored to another, so that a caller can cut
K where it likes.

With a clamp the sums visit the overflow logic after every ``period`` groups, and each visit that changes a sum is
counted.
"""

from functools import lru_cache
from typing import Any

from numba import types
from numba.extending import intrinsic

from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac.checked import write_checked, write_every
from fxpsim.kernels.mac.ir_tools import I64
from fxpsim.kernels.mac.nearest import without_bias, write_nearest
from fxpsim.kernels.mac.spread import write_spread
from fxpsim.kernels.mac.tile import Tile
from fxpsim.kernels.mac.writer import Writer, loop


def _write_exact(w: Writer) -> Any:
    """Write the loop without a clamp."""
    rows = [w.row_address(I64(i)) for i in range(w.tile.rows)]
    sums = loop(w.builder, I64(0), w.groups, w.load_sums(w.from_at), lambda k, sums: w.step(rows, k, sums))
    w.store_sums(w.sums_at, sums)
    return I64(0)


def _write_clamped(w: Writer) -> Any:
    """Write the loop over chunks, with a clamp after each."""
    rows = [w.row_address(I64(i)) for i in range(w.tile.rows)]

    def chunk(k: Any, state: list[Any]) -> list[Any]:
        end = w.end_of_chunk(k)
        sums = loop(w.builder, k, end, state[:-1], lambda k, sums: w.step(rows, k, sums))
        if w.tile.rounding == "nearest":
            sums = without_bias(w, sums, w.builder.sub(end, k))
        inside, count = w.visit(sums, state[-1])
        return [*inside, count]

    start = [*w.load_sums(w.from_at), I64(0)]
    *sums, count = loop(w.builder, I64(0), w.groups, start, chunk, w.period)
    w.store_sums(w.sums_at, sums)
    return count


@lru_cache(maxsize=256)
def micro_kernel(tile: Tile) -> Any:
    """Return the Numba intrinsic of a tile.

    Its arguments are addresses and numbers: what the sums start from, the sums (rows x vectors registers), the
    operand a, the offsets of the rows, the offsets of the groups, the packed b, the number of groups (at least 1),
    the period of the clamp in groups, the limits of the clamp, the threshold of the check, and the numbers of the
    rounding. It returns how many sums the clamp changed.
    """
    limit = getattr(types, tile.lane.sum_type)
    write_clamped = write_checked if tile.checked else write_every if tile.every else _write_clamped
    if tile.rounding == "nearest" and tile.every:
        write_clamped = write_nearest
    write_exact = write_spread if tile.lane.spread > 1 else _write_exact
    write_loop = write_exact if tile.clamp == "none" else write_clamped

    @intrinsic
    def micro(context, start, sums, a, rows, cols, b, groups, period, low, high, threshold, numbers):
        signature = types.int64(*[types.int64] * 8, limit, limit, limit, types.int64)

        def write(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return write_loop(Writer(builder, tile, cpu(), list(arguments)))

        return signature, write

    return micro
