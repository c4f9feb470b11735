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

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fxpsim.kernels.lanes import Cpu, cpu
from fxpsim.kernels.mac.ir_tools import ELEMENTS, F64, I8, I16, I32, I64, address, call, load, repeat, store


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One way to multiply and add.

    Parameters
    ----------
    name : str
        ``dot8``, ``dot16``, ``float32`` or ``float64``.
    group : int
        Consecutive products that one lane of the instruction adds at once.
    a_type, b_type, sum_type : str
        NumPy types of the operands and of the accumulators.
    exact_below : int
        Sums of integers are exact while all partial sums stay below this magnitude.
    """

    name: str
    group: int
    a_type: str
    b_type: str
    sum_type: str
    exact_below: int

    def columns(self, target: Cpu) -> int:
        """Return the number of accumulators in one vector register."""
        return target.vector_bits // (8 * np.dtype(self.sum_type).itemsize)


DOT8 = Lane(name="dot8", group=4, a_type="uint8", b_type="int8", sum_type="int32", exact_below=1 << 31)
DOT16 = Lane(name="dot16", group=2, a_type="int16", b_type="int16", sum_type="int32", exact_below=1 << 31)
FLOAT32 = Lane(name="float32", group=1, a_type="float32", b_type="float32", sum_type="float32", exact_below=1 << 24)
FLOAT64 = Lane(name="float64", group=1, a_type="float64", b_type="float64", sum_type="float64", exact_below=1 << 53)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """Shape of a micro-kernel.

    Parameters
    ----------
    lane : Lane
    rows, vectors : int
        Registers of accumulators.
    clamp : str
        ``none``, ``saturate`` or ``zero``: what happens to a sum out of range.
    fused : bool
        Whether floats need the fused multiply-add. Integers in floats do not where every product and sum is exact,
        which spares processors without the instruction a slow detour.
    """

    lane: Lane
    rows: int
    vectors: int
    clamp: str = "none"
    fused: bool = False


class _Writer:
    """Shorthand for the instructions that the generator needs."""

    def __init__(self, builder: Any, tile: Tile, target: Cpu) -> None:
        self.builder, self.tile, self.target = builder, tile, target
        element = ELEMENTS[tile.lane.sum_type]
        self.count = tile.lane.columns(target)
        self.sum_type = ir.VectorType(element, self.count)
        self.element = element
        self.is_float = element is not I32

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
        if self.target.dot:
            return self._dot(total, a, b)
        if self.target.pairs != "none":
            return self.builder.add(total, self._paired(a, b))
        return self.builder.add(total, self._spelled_out(a, b))

    def _dot(self, total: Any, a: Any, b: Any) -> Any:
        """VNNI. Before LLVM 22 its intrinsics took all operands as vectors of 32 bits."""
        part = I8 if self.tile.lane.group == 4 else I16
        name = "vpdpbusd" if self.tile.lane.group == 4 else "vpdpwssd"
        if llvm.llvm_version_info[0] >= 22:
            kind = ir.VectorType(part, self.count * self.tile.lane.group)
            a, b = self.builder.bitcast(a, kind), self.builder.bitcast(b, kind)
        return self.call(f"llvm.x86.avx512.{name}.{self.target.vector_bits}", total, a, b)

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

    def clamp(self, value: Any, low: Any, high: Any) -> tuple[Any, Any]:
        """Return the value brought into range and the mask of the lanes that changed."""
        compare = self.builder.fcmp_ordered if self.is_float else self.builder.icmp_signed
        inside = self.builder.select(compare(">", value, low), value, low)
        inside = self.builder.select(compare("<", inside, high), inside, high)
        changed = compare("!=", value, inside)
        if self.tile.clamp == "zero":
            zero = ir.Constant(self.sum_type, [0.0 if self.is_float else 0] * self.count)
            return self.builder.select(changed, zero, value), changed
        return inside, changed


def _emit(builder: Any, tile: Tile, target: Cpu, arguments: list[Any]) -> Any:
    """Write the loop; return the number of clamped sums."""
    from_at, sums_at, a_at, rows_at, cols_at, b_at, groups, period, low, high = arguments
    w = _Writer(builder, tile, target)
    a_size, vector_bytes = np.dtype(tile.lane.a_type).itemsize, target.vector_bits // 8
    cells = [(i, j) for i in range(tile.rows) for j in range(tile.vectors)]
    places = [I64(index * vector_bytes) for index in range(len(cells))]
    row_at = [
        address(builder, a_at, (load(builder, address(builder, rows_at, (I64(i), 8)), I64), a_size))
        for i in range(tile.rows)
    ]
    counts_type = ir.VectorType(I64 if w.element is F64 else I32, w.count)
    nothing = ir.Constant(counts_type, [0] * w.count)
    start = [load(builder, builder.add(from_at, place), w.sum_type) for place in places]
    limits = repeat(builder, low, w.count), repeat(builder, high, w.count)

    def step(k: Any, sums: list[Any]) -> list[Any]:
        """Add the products of group k."""
        offset = load(builder, address(builder, cols_at, (k, 8)), I64)
        b_row = address(builder, b_at, (k, tile.vectors * vector_bytes))
        b = [load(builder, address(builder, b_row, (I64(j), vector_bytes)), w.sum_type) for j in range(tile.vectors)]
        word = w.element  # one group of a row: 32 bits of codes, or one float
        words = [load(builder, address(builder, at, (offset, a_size)), word) for at in row_at]
        a = [repeat(builder, value, w.count) for value in words]
        return [w.multiply_add(s, a[i], b[j]) for s, (i, j) in zip(sums, cells, strict=True)]

    def visit(sums: list[Any], count: Any) -> tuple[list[Any], Any]:
        """Bring every sum into range."""
        inside = []
        for value in sums:
            value, changed = w.clamp(value, *limits)  # noqa: PLW2901
            count = builder.sub(count, builder.sext(changed, counts_type))
            inside.append(value)
        return inside, count

    if tile.clamp == "none":
        sums = _loop(builder, I64(0), groups, start, step)
        count = None
    else:

        def chunk(k: Any, state: list[Any]) -> list[Any]:
            end = builder.add(k, period)
            end = builder.select(builder.icmp_signed("<", end, groups), end, groups)
            inner, count = visit(_loop(builder, k, end, state[:-1], step), state[-1])
            return [*inner, count]

        *sums, count = _loop(builder, I64(0), groups, [*start, nothing], chunk, period)
    for place, value in zip(places, sums, strict=True):
        store(builder, value, builder.add(sums_at, place))
    if count is None:
        return I64(0)
    widened = builder.zext(count, ir.VectorType(I64, w.count)) if counts_type.element is I32 else count
    return call(builder, f"llvm.vector.reduce.add.v{w.count}i64", I64, widened)


def _loop(  # noqa: PLR0917
    builder: Any,
    begin: Any,
    end: Any,
    state: list[Any],
    body: Callable[[Any, list[Any]], list[Any]],
    stride: Any = I64(1),  # noqa: B008  # a constant
) -> list[Any]:
    """Write ``for k in range(begin, end, stride): state = body(k, state)`` for a range that is not empty."""
    before = builder.block
    loop = builder.append_basic_block("loop")
    done = builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
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
    builder.cbranch(builder.icmp_signed("<", following, end), loop, done)
    builder.position_at_end(done)
    return new


@lru_cache(maxsize=256)
def micro_kernel(tile: Tile) -> Any:
    """Return the Numba intrinsic of a tile.

    Its arguments are addresses and numbers: what the sums start from, the sums (rows x vectors registers), the
    operand a, the offsets of the rows, the offsets of the groups, the packed b, the number of groups (at least 1),
    the period of the clamp in groups, and the limits. It returns how many sums the clamp changed.
    """
    limit = {"int32": types.int32, "float32": types.float32, "float64": types.float64}[tile.lane.sum_type]

    @intrinsic
    def micro(context, start, sums, a, rows, cols, b, groups, period, low, high):  # noqa: PLR0917
        signature = types.int64(*[types.int64] * 8, limit, limit)

        def write(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return _emit(builder, tile, cpu(), list(arguments))

        return signature, write

    return micro
