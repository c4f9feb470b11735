"""Saturation after every product that a fused multiply-add has rounded (``half_even``).

:func:`fxpsim.kernels.mac.rounding.nearest_product` gives the anchor's bits A plus a rounded product. Of two
products one is added with +A and one subtracted with -A (``A - product``), so that A cancels out and costs nothing::

    odd  = even + (A + first)         in range if A <= odd <= A + span
    even = odd - (A - second)         in range if 0 <= even <= span

Sums are kept minus the smallest code. K is cut into chunks: the fast way only collects the largest distance from the
range's beginning, unsigned, so that one comparison per chunk tells whether any sum of the tile has left the range. If
so, the tile goes back to the sums before the chunk, clamps after every product and counts; while that goes on, the next
chunk does not even try.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from fxpsim.kernels.mac.ir_tools import I32, I64, call
from fxpsim.kernels.mac.rounding import nearest_product
from fxpsim.kernels.mac.writer import Writer, loop

Visit = Callable[[Any, Any, Any], tuple[Any, Any]]


def without_bias(w: Writer, sums: list[Any], products: Any) -> list[Any]:
    """Take away the anchors that came with some products."""
    anchor = w.builder.extract_element(w.numbers[0], I32(0))
    bias = w.repeat(w.builder.mul(w.builder.trunc(products, I32), anchor))
    return [w.builder.sub(total, bias) for total in sums]


def write_nearest(w: Writer) -> Any:
    """Write the loop over chunks of an even number of groups."""
    builder = w.builder
    rows = [w.row_address(I64(i)) for i in range(w.tile.rows)]
    low, high = w.limits
    span = builder.sub(high, low)
    no, nothing = ir.Constant(ir.IntType(1), 0), ir.Constant(w.sum_type, [0] * w.count)
    fast, keep, slow, after = (builder.append_basic_block(name) for name in ("fast", "keep", "slow", "after"))

    def collected(total: Any, begin: Any, largest: Any) -> tuple[Any, Any]:
        distance = builder.sub(total, begin)
        return total, builder.select(builder.icmp_unsigned(">", distance, largest), distance, largest)

    def counted(total: Any, begin: Any, count: Any) -> tuple[Any, Any]:
        end = builder.add(begin, span)
        inside = builder.select(builder.icmp_signed(">", total, begin), total, begin)
        inside = builder.select(builder.icmp_signed("<", inside, end), inside, end)
        return inside, w.count_changed(count, builder.icmp_signed("!=", inside, total))

    def chunk(k: Any, state: list[Any]) -> list[Any]:
        *sums, far, count = state
        end = w.end_of_chunk(k)
        builder.cbranch(far, slow, fast)

        builder.position_at_end(fast)
        *added, largest = _pairs(w, rows, k, end, [*sums, nothing], collected)
        beyond = builder.icmp_unsigned(">", largest, span)
        builder.cbranch(_any(w, beyond), slow, keep)
        builder.position_at_end(keep)
        builder.branch(after)

        builder.position_at_end(slow)
        *clamped, more = _pairs(w, rows, k, end, [*sums, count], counted)
        still_far = builder.icmp_unsigned("!=", more, count)
        slow_end = builder.block
        builder.branch(after)

        builder.position_at_end(after)
        outcome = []
        for quick, careful in zip([*added, no, count], [*clamped, still_far, more], strict=True):
            phi = builder.phi(quick.type)
            phi.add_incoming(quick, keep)
            phi.add_incoming(careful, slow_end)
            outcome.append(phi)
        return outcome

    start = [builder.sub(total, low) for total in w.load_sums(w.from_at)]
    *sums, _, count = loop(builder, I64(0), w.groups, [*start, no, I64(0)], chunk, w.period)
    w.store_sums(w.sums_at, [builder.add(total, low) for total in sums])
    return count


def _any(w: Writer, mask: Any) -> Any:
    return call(w.builder, f"llvm.vector.reduce.or.v{w.count}i1", ir.IntType(1), mask)


def _pairs(w: Writer, rows: list[Any], begin: Any, end: Any, state: list[Any], visit: Visit) -> list[Any]:
    """Add two products per turn and visit each sum after either."""
    builder, anchor = w.builder, w.numbers[0]
    zero = ir.Constant(w.sum_type, [0] * w.count)

    def half(k: Any, state: list[Any], *, back: bool) -> list[Any]:
        *sums, note = state
        b = w.load_b(k)
        words = [w.load_a(at, k) for at in rows]
        factors = [(a, vector) for a in map(w.repeat, words) for vector in b]
        visited = []
        for total, (a, vector) in zip(sums, factors, strict=True):
            product = nearest_product(builder, a, vector, anchor, negated=back)
            added = builder.sub(total, product) if back else builder.add(total, product)
            kept, note = visit(added, zero if back else anchor, note)
            visited.append(kept)
        return [*visited, note]

    def pair(k: Any, state: list[Any]) -> list[Any]:
        return half(builder.add(k, I64(1)), half(k, state, back=False), back=True)

    return loop(builder, begin, end, state, pair, I64(2))
