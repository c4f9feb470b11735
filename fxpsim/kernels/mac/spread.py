"""Few columns: one register holds four groups of four columns instead of one group of sixteen.

A tile of one register per row loads as often as it multiplies, and waits for the loads. Sums modulo 2^32 may be added
in any order, so the products of four neighboring groups are added apart, in lanes of their own::

                                     b[g]:  | columns 0-3 | columns 4-7 | columns 8-11 | columns 12-15 |
    a[row + cols[g]], four groups, repeated |  acc[row,0] |  acc[row,1] |   acc[row,2] |    acc[row,3] |

One load of a serves four registers, as in the widest tile. At the end the four parts of each column come together. The
codes of b lie as a wide group makes them lie: sixteen bytes (eight words) of column 0, those of column 1, and so on.
"""

from functools import reduce
from typing import Any

from fxpsim.kernels.mac.ir_tools import I64, shuffle
from fxpsim.kernels.mac.writer import Writer, loop


def write_spread(w: Writer) -> Any:
    """Write the loop without a clamp, for a tile of one register of sums per row."""
    spread = w.tile.lane.spread
    rows = [w.row_address(I64(i)) for i in range(w.tile.rows)]
    parts = loop(w.builder, I64(0), w.groups, [w.zero] * (len(rows) * spread), lambda k, sums: w.step(rows, k, sums))
    sums = [_together(w, parts[i : i + spread]) for i in range(0, len(parts), spread)]
    before = w.load_sums(w.from_at)
    w.store_sums(w.sums_at, [w.builder.add(a, b) for a, b in zip(before, sums, strict=True)])
    return I64(0)


def _together(w: Writer, parts: list[Any]) -> Any:
    """Add neighboring lanes of a power of two of registers until one register is left."""
    even, odd = list(range(0, 2 * w.count, 2)), list(range(1, 2 * w.count, 2))
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=True)
        halves = [[shuffle(w.builder, a, b, picks) for picks in (even, odd)] for a, b in pairs]
        parts = [reduce(w.builder.add, both) for both in halves]
    return parts[0]
