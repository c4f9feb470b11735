"""What all micro-kernels are made of: loads, one step of products, the clamp, loops."""

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir

from fxpsim.kernels.lanes import Cpu
from fxpsim.kernels.mac.ir_tools import (
    ELEMENTS,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    address,
    call,
    load,
    ones,
    opaque,
    repeat,
    shuffle,
    store,
)
from fxpsim.kernels.mac.rounding import load_numbers, nearest_product, write_rounding
from fxpsim.kernels.mac.tile import Tile


class Writer:
    """Writes the parts of one micro-kernel.

    Its arguments are those of :func:`fxpsim.kernels.mac.micro.micro_kernel`.
    """

    def __init__(self, builder: Any, tile: Tile, target: Cpu, arguments: list[Any]) -> None:
        self.builder, self.tile, self.target = builder, tile, target
        *places, self.groups, self.period, low, high, self.threshold, numbers_at = arguments
        places = [opaque(builder, place) for place in [*places, numbers_at]]
        self.from_at, self.sums_at, self.a_at, self.rows_at, self.cols_at, self.b_at, numbers_at = places
        self.element = ELEMENTS[tile.lane.sum_type]
        self.factor = F32 if tile.lane.b_type == "float32" else self.element  # what a group is multiplied as
        self.is_float = self.element in (F32, F64)
        self.count = tile.lane.columns(target)
        self.sum_type = ir.VectorType(self.element, self.count)
        self.vector_bytes = target.vector_bits // 8
        self.a_size = np.dtype(tile.lane.a_type).itemsize
        self.zero = ir.Constant(self.sum_type, [0.0 if self.is_float else 0] * self.count)
        self.limits = repeat(builder, low, self.count), repeat(builder, high, self.count)
        self.bits_type = ir.VectorType(I64 if self.element is F64 else I32, self.count)
        self.numbers = []
        if tile.rounding != "none":
            self.numbers = [self.repeat(number) for number in load_numbers(builder, numbers_at)]

    def row_address(self, row: Any) -> Any:
        """Return where a row of the tile begins in a."""
        offset = load(self.builder, address(self.builder, self.rows_at, (row, 8)), I64)
        return address(self.builder, self.a_at, (offset, self.a_size))

    def load_sums(self, base: Any, count: int | None = None) -> list[Any]:
        """Load consecutive accumulators, by default those of the tile."""
        count = self.tile.rows * self.tile.vectors if count is None else count
        return self._load_vectors(base, count, self.sum_type)

    def _load_vectors(self, base: Any, count: int, kind: Any) -> list[Any]:
        places = [self.builder.add(base, I64(index * self.vector_bytes)) for index in range(count)]
        return [load(self.builder, place, kind) for place in places]

    def store_sums(self, base: Any, sums: list[Any]) -> None:
        """Store consecutive accumulators."""
        for index, value in enumerate(sums):
            store(self.builder, value, self.builder.add(base, I64(index * self.vector_bytes)))

    def load_b(self, k: Any) -> list[Any]:
        """Load group k of all columns."""
        vectors = self.tile.vectors * self.tile.lane.spread
        row = address(self.builder, self.b_at, (k, vectors * self.vector_bytes))
        return self._load_vectors(row, vectors, ir.VectorType(self.factor, self.count))

    def load_a(self, row_at: Any, k: Any) -> Any:
        """Load group k of a row: 32 bits of codes (as 64, if these are multiplied; four times 32), or one float."""
        offset = load(self.builder, address(self.builder, self.cols_at, (k, 8)), I64)
        place = address(self.builder, row_at, (offset, self.a_size))
        if self.tile.lane.spread > 1:
            return load(self.builder, place, ir.VectorType(I32, self.tile.lane.spread))
        if self.factor is I64:
            return self.builder.sext(load(self.builder, place, I32), I64)
        return load(self.builder, place, self.factor)

    def load_own(self, row_at: Any, k: Any) -> list[Any]:
        """Load group k of a row for every column."""
        offset = load(self.builder, address(self.builder, self.cols_at, (k, 8)), I64)
        place = address(self.builder, row_at, (offset, self.a_size))
        return self._load_vectors(place, self.tile.vectors, ir.VectorType(self.factor, self.count))

    def repeat(self, value: Any) -> Any:
        """Return a vector with the value in all lanes, or with several values again and again."""
        if isinstance(value.type, ir.VectorType):
            return shuffle(self.builder, value, value, [i % value.type.count for i in range(self.count)])
        return repeat(self.builder, value, self.count)

    def step(self, row_at: list[Any], k: Any, sums: list[Any]) -> list[Any]:
        """Add the products of group k."""
        b = self.load_b(k)
        if self.tile.own:
            products = [pair for at in row_at for pair in zip(self.load_own(at, k), b, strict=True)]
        else:
            words = [self.load_a(at, k) for at in row_at]
            products = [(a, vector) for a in map(self.repeat, words) for vector in b]
        return [self.multiply_add(total, a, vector) for total, (a, vector) in zip(sums, products, strict=True)]

    def count_changed(self, count: Any, mask: Any) -> Any:
        """Return a counter plus the lanes of a mask: scalars, which the processor has beside its vectors."""
        return self.builder.add(count, ones(self.builder, mask))

    def visit(self, sums: list[Any], count: Any) -> tuple[list[Any], Any]:
        """Bring every sum into range and count those that were outside."""
        inside = []
        for total in sums:
            value, changed = self.clamp(total)
            count = self.count_changed(count, changed)
            inside.append(value)
        return inside, count

    def end_of_chunk(self, k: Any) -> Any:
        """Return where the chunk that begins at k ends."""
        end = self.builder.add(k, self.period)
        return self.builder.select(self.builder.icmp_signed("<", end, self.groups), end, self.groups)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call an LLVM intrinsic that returns sums."""
        return call(self.builder, name, self.sum_type, *arguments)

    def multiply_add(self, total: Any, a: Any, b: Any) -> Any:
        """Return ``total`` plus the products of one group."""
        if self.is_float and not self.tile.fused and not self.target.fma:
            return self.builder.fadd(total, self.builder.fmul(a, b))
        if self.is_float:
            suffix = f"v{self.count}f{64 if self.element is F64 else 32}"
            return self.call(f"llvm.fma.{suffix}", a, b, total)
        if self.element is I64:
            return self.builder.add(total, self._long(a, b))
        if self.tile.rounding != "none":
            return self.builder.add(total, self._rounded(a, b))
        if self.target.dot:
            return self._dot(total, a, b)
        if self.target.pairs != "none":
            return self.builder.add(total, self._paired(a, b))
        return self.builder.add(total, self._spelled_out(a, b))

    def _dot(self, total: Any, a: Any, b: Any) -> Any:
        """VNNI. Before LLVM 22 its intrinsics took all operands as vectors of 32 bits."""
        part = I8 if self.tile.lane.b_type == "int8" else I16
        name = "vpdpbusd" if part is I8 else "vpdpwssd"
        if llvm.llvm_version_info[0] >= 22:
            kind = ir.VectorType(part, self.count * 32 // part.width)
            a, b = self.builder.bitcast(a, kind), self.builder.bitcast(b, kind)
        return self.call(f"llvm.x86.avx512.{name}.{self.target.vector_bits}", total, a, b)

    def _long(self, a: Any, b: Any) -> Any:
        """One 64-bit product of 32-bit codes per lane: extending the lower halves lets LLVM take that instruction."""
        half = self.repeat(I64(32))
        return self.builder.mul(a, self.builder.ashr(self.builder.shl(b, half), half))

    def _rounded(self, a: Any, b: Any) -> Any:
        """One rounded product per lane. Groups of two hold one code and a zero."""
        if self.tile.rounding == "nearest":
            return nearest_product(self.builder, a, b, self.numbers[0])
        offset = self.numbers[1]
        if self.tile.lane.group == 1:
            shifted = self.builder.add(self.builder.mul(a, b), offset)
        else:
            shifted = self._dot(offset, a, b) if self.target.dot else self.builder.add(self._paired(a, b), offset)
        return write_rounding(self.builder, self.tile.rounding, shifted, self.numbers)

    def _paired(self, a: Any, b: Any) -> Any:
        """Two 16-bit products per lane. Four operands of -32768 make 2^31, which is right modulo 2^32."""
        kind = ir.VectorType(I16, 2 * self.count)
        name = {"avx512": "avx512.pmaddw.d.512", "avx2": "avx2.pmadd.wd", "sse2": "sse2.pmadd.wd"}[self.target.pairs]
        a, b = self.builder.bitcast(a, kind), self.builder.bitcast(b, kind)
        return self.call(f"llvm.x86.{name}", a, b)

    def _spelled_out(self, a: Any, b: Any) -> Any:
        """Two 16-bit products per lane in portable IR: the halves of a 32-bit lane, sign extended."""
        sixteen = ir.Constant(self.sum_type, [16] * self.count)
        highs = [self.builder.ashr(v, sixteen) for v in (a, b)]
        lows = [self.builder.ashr(self.builder.shl(v, sixteen), sixteen) for v in (a, b)]
        return self.builder.add(self.builder.mul(*highs), self.builder.mul(*lows))

    def limit(self, value: Any) -> Any:
        """Return the value clamped to the limits."""
        low, high = self.limits
        compare = self.builder.fcmp_ordered if self.is_float else self.builder.icmp_signed
        inside = self.builder.select(compare(">", value, low), value, low)
        return self.builder.select(compare("<", inside, high), inside, high)

    def clamp(self, value: Any) -> tuple[Any, Any]:
        """Return the value brought into range and the mask of the lanes that changed."""
        inside = self.limit(value)
        differ = self.builder.fcmp_ordered if self.is_float else self.builder.icmp_signed
        changed = differ("!=", value, inside)
        if self.tile.clamp == "zero":
            return self.builder.select(changed, self.zero, value), changed
        return inside, changed


def loop(
    builder: Any,
    begin: Any,
    end: Any,
    state: list[Any],
    body: Callable[[Any, list[Any]], list[Any]],
    stride: Any = I64(1),  # noqa: B008  # a constant
) -> list[Any]:
    """Write ``for k in range(begin, end, stride): state = body(k, state)`` for a range that is not empty."""
    before = builder.block
    again = builder.append_basic_block("loop")
    done = builder.append_basic_block("done")
    builder.branch(again)
    builder.position_at_end(again)
    k = builder.phi(I64)
    k.add_incoming(begin, before)
    carried = [builder.phi(value.type) for value in state]
    for phi, value in zip(carried, state, strict=True):
        phi.add_incoming(value, before)
    new = body(k, list(carried))
    following = builder.add(k, stride)
    last = builder.block  # the body may have added blocks of its own
    k.add_incoming(following, last)
    for phi, value in zip(carried, new, strict=True):
        phi.add_incoming(value, last)
    builder.cbranch(builder.icmp_signed("<", following, end), again, done)
    builder.position_at_end(done)
    return new
