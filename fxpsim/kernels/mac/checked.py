"""Saturation after every product, optimistically: the fast way assumes that no sum leaves the range, and can go back.

K is cut into chunks. The fast way does not count; it only finds out whether any sum of the tile *may* have left the
range within the chunk. If so, the tile goes back to the sums that were stored after the last chunk and adds this one
product by product, bringing every sum into range and counting those that were outside. While that is so, the next
chunk does not even try.

*Lanes of floats* add one product per step and clamp after each; the fast way collects the bits that the clamps have
changed.

*Dot products* add several products per step, and the fast way has no clamp at all. Let s be the sum before a chunk, e
the sum after it and V a bound of the sum of the products' magnitudes within it. No prefix in between exceeds
``(|s| + |e| + V) / 2`` in magnitude: the positive products add up to ``(V + e - s) / 2`` at most. With the threshold
``T = max_code - ceil(V / 2)``, no prefix left the range if ``|s| <= T`` and ``|e| <= T``.

*Rounded products* look after every product whether any sum of the tile left the range, and only then clamp and count;
nothing is repeated.
"""

from typing import Any

from llvmlite import ir

from fxpsim.kernels.mac.ir_tools import I32, I64, address, call
from fxpsim.kernels.mac.writer import Writer, loop

I1 = ir.IntType(1)


def write_checked(w: Writer) -> Any:
    """Write the loop over chunks."""
    builder = w.builder
    rows = [w.row_address(I64(i)) for i in range(w.tile.rows)]
    start = w.load_sums(w.from_at)
    w.store_sums(w.sums_at, start)
    no_bits = ir.Constant(w.bits_type, [0] * w.count)
    fast, keep, slow, after = (builder.append_basic_block(name) for name in ("fast", "keep", "slow", "after"))

    def chunk(k: Any, state: list[Any]) -> list[Any]:
        *sums, far, count = state
        end = w.end_of_chunk(k)
        builder.cbranch(far, slow, fast)

        builder.position_at_end(fast)
        if w.is_float:
            *added, bits = loop(builder, k, end, [*sums, no_bits], lambda k, state: _clamped_step(w, rows, k, state))
            left = _any(w, builder.icmp_unsigned("!=", bits, no_bits))
        else:
            added = loop(builder, k, end, sums, lambda k, sums: w.step(rows, k, sums))
            left = _any_beyond(w, added)
        builder.cbranch(left, slow, keep)
        builder.position_at_end(keep)
        w.store_sums(w.sums_at, added)
        builder.branch(after)

        builder.position_at_end(slow)
        counted = _one_by_one(w, k, end, count)
        redone = w.load_sums(w.sums_at)
        still_far = builder.icmp_unsigned("!=", counted, count) if w.is_float else _any_beyond(w, redone)
        slow_end = builder.block
        builder.branch(after)

        builder.position_at_end(after)
        return [
            _either(builder, (quick, keep), (careful, slow_end))
            for quick, careful in zip([*added, I1(0), count], [*redone, still_far, counted], strict=True)
        ]

    far = I1(0) if w.is_float else _any_beyond(w, start)
    return loop(builder, I64(0), w.groups, [*start, far, I64(0)], chunk, w.period)[-1]


def write_every(w: Writer) -> Any:
    """Write the loop over groups of one product, each of which visits the overflow logic if any sum left the range.

    The sums are kept minus the lower limit: unsigned, a sum is in range if it is at most ``high - low``, so that one
    maximum per register tells about all of them.
    """
    builder = w.builder
    rows = [w.row_address(I64(i)) for i in range(w.tile.rows)]
    low, high = w.limits
    w.limits = w.zero, builder.sub(high, low)
    w.zero = builder.sub(w.zero, low)

    def group(k: Any, state: list[Any]) -> list[Any]:
        sums = w.step(rows, k, state[:-1])
        largest = _largest(w, sums)
        before = builder.block
        visit, after = builder.append_basic_block("visit"), builder.append_basic_block("after")
        builder.cbranch(_any(w, builder.icmp_unsigned(">", largest, w.limits[1])), visit, after)
        builder.position_at_end(visit)
        inside, count = w.visit(sums, state[-1])
        visited = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        return [
            _either(builder, (quick, before), (careful, visited))
            for quick, careful in zip([*sums, state[-1]], [*inside, count], strict=True)
        ]

    start = [builder.sub(total, low) for total in w.load_sums(w.from_at)]
    *sums, count = loop(builder, I64(0), w.groups, [*start, I64(0)], group)
    w.store_sums(w.sums_at, [builder.add(total, low) for total in sums])
    return count


def _either(builder: Any, *choices: tuple[Any, Any]) -> Any:
    """Return the value that belongs to the block that was executed."""
    phi = builder.phi(choices[0][0].type)
    for value, block in choices:
        phi.add_incoming(value, block)
    return phi


def _largest(w: Writer, sums: list[Any]) -> Any:
    """Return the unsigned maximum, lane by lane."""
    largest = sums[0]
    for total in sums[1:]:
        largest = w.builder.select(w.builder.icmp_unsigned(">", total, largest), total, largest)
    return largest


def _any_beyond(w: Writer, sums: list[Any]) -> Any:
    """Return whether any sum exceeds the threshold: ``|x| > T`` is ``x + T > 2 T`` without signs."""
    builder = w.builder
    threshold = w.repeat(w.threshold)
    largest = _largest(w, [builder.add(total, threshold) for total in sums])
    beyond = builder.icmp_unsigned(">", largest, builder.add(threshold, threshold))
    return _any(w, beyond)


def _any(w: Writer, mask: Any) -> Any:
    return call(w.builder, f"llvm.vector.reduce.or.v{w.count}i1", I1, mask)


def _clamped_step(w: Writer, rows: list[Any], k: Any, state: list[Any]) -> list[Any]:
    """Add the product k, clamp, and collect the bits that changed."""
    *sums, bits = state
    inside = []
    for total in w.step(rows, k, sums):
        value = w.limit(total)
        changed = w.builder.xor(w.builder.bitcast(total, w.bits_type), w.builder.bitcast(value, w.bits_type))
        bits = w.builder.or_(bits, changed)
        inside.append(value)
    return [*inside, bits]


def _one_by_one(w: Writer, begin: Any, end: Any, count: Any) -> Any:
    """Add the products of a chunk to the stored sums one after the other; return the new count.

    A few rows go together, so that their chains of dependent instructions overlap.
    """
    builder, tile = w.builder, w.tile
    together = max(r for r in range(1, max(1, 4 // tile.vectors) + 1) if tile.rows % r == 0)

    def rows(first: Any, state: list[Any]) -> list[Any]:
        at = [w.row_address(builder.add(first, I64(i))) for i in range(together)]
        sums_at = address(builder, w.sums_at, (first, tile.vectors * w.vector_bytes))
        size = together * tile.vectors

        def group(k: Any, state: list[Any]) -> list[Any]:
            *sums, count = state
            b = w.load_b(k)
            words = [w.load_a(row, k) for row in at]
            for part in range(tile.lane.group):
                columns = [_part_of_b(w, vector, part) for vector in b]
                a = [w.repeat(_part_of_a(w, word, part)) for word in words]
                pairs = [(x, y) for x in a for y in columns]
                sums = [_add_product(w, total, x, y) for total, (x, y) in zip(sums, pairs, strict=True)]
                sums, count = w.visit(sums, count)
            return [*sums, count]

        *sums, count = loop(builder, begin, end, [*w.load_sums(sums_at, size), state[0]], group)
        w.store_sums(sums_at, sums)
        return [count]

    return loop(builder, I64(0), I64(tile.rows), [count], rows, I64(together))[0]


def _add_product(w: Writer, total: Any, a: Any, b: Any) -> Any:
    """Add one product."""
    return w.multiply_add(total, a, b) if w.is_float else w.builder.add(total, w.builder.mul(a, b))


def _part_of_a(w: Writer, word: Any, part: int) -> Any:
    """Return one code of a group of a: unsigned bytes or signed halves."""
    if w.tile.lane.group == 1:
        return word
    if w.tile.lane.group == 4:
        return w.builder.and_(w.builder.lshr(word, I32(8 * part)), I32(255))
    return w.builder.ashr(w.builder.shl(word, I32(16 - 16 * part)), I32(16))


def _part_of_b(w: Writer, vector: Any, part: int) -> Any:
    """Return one code of each group of b: signed bytes or halves."""
    if w.tile.lane.group == 1:
        return vector
    bits = 32 // w.tile.lane.group

    def amount(value: int) -> Any:
        return ir.Constant(w.sum_type, [value] * w.count)

    return w.builder.ashr(w.builder.shl(vector, amount(32 - bits * (part + 1))), amount(32 - bits))
