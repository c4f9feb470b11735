"""Move and measure blocks of codes with vector shuffles (portable LLVM IR): what loops over elements do too slowly."""

from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fxpsim.kernels.mac.ir_tools import (
    ELEMENTS,
    I8,
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
from fxpsim.kernels.mac.writer import loop


@lru_cache(maxsize=8)
def transpose_block(dtype: str, n: int) -> Any:
    """Return the intrinsic ``(source, source_pitch, target, target_pitch)`` that transposes n x n codes.

    Pitches are distances of rows in elements. Interleaving the first half of the rows with the second moves one bit
    of the row index into the column index; after log2(rows) rounds they are exchanged.
    """
    element = ELEMENTS[dtype]
    size = element.width // 8

    @intrinsic
    def transpose(context, source, source_pitch, target, target_pitch):
        def write(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            source, source_pitch, target, target_pitch = arguments
            source, target = opaque(builder, source), opaque(builder, target)
            kind = ir.VectorType(element, n)
            rows = [load(builder, _row(builder, source, i, source_pitch, size), kind) for i in range(n)]
            for _ in range(n.bit_length() - 1):
                pairs = zip(rows[: n // 2], rows[n // 2 :], strict=True)
                rows = [half for a, b in pairs for half in _interleaved(builder, a, b)]
            for i, row in enumerate(rows):
                store(builder, row, _row(builder, target, i, target_pitch, size))
            return I64(0)

        return types.int64(*[types.int64] * 4), write

    return transpose


def _row(builder: Any, base: Any, index: int, pitch: Any, size: int) -> Any:
    return address(builder, base, (builder.mul(pitch, I64(index)), size))


def _interleaved(builder: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Return a0 b0 a1 b1 ... as two vectors."""
    n = a.type.count
    picks = [index for i in range(n) for index in (i, n + i)]
    return shuffle(builder, a, b, picks[:n]), shuffle(builder, a, b, picks[n:])


@lru_cache(maxsize=32)
def pack_group(dtype: str, group: int, columns: int, vectors: int, measured: bool, high: bool = False) -> Any:
    """Return the intrinsic ``(source, pitch, target, sums, magnitudes)`` that packs one group of k of one panel.

    It reads ``group`` rows of ``vectors * columns`` elements, ``pitch`` elements apart, and writes them column by
    column. If measured, it adds the columns and their magnitudes to two arrays of int32. If ``high``, it writes the
    codes' nearest multiples of 256, as bytes, and measures what these leave.
    """
    element = ELEMENTS[dtype]
    size = np.dtype(dtype).itemsize

    @intrinsic
    def pack(context, source, pitch, target, sums, magnitudes):
        def write(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            source, target, sums, magnitudes = (opaque(builder, arguments[i]) for i in (0, 2, 3, 4))
            pitch = arguments[1]
            kind = ir.VectorType(element, columns)
            for j in range(vectors):
                begins = [_row(builder, source, q, pitch, size) for q in range(group)]
                rows = [load(builder, address(builder, at, (I64(j * columns), size)), kind) for at in begins]
                if high:
                    wide = [builder.sext(row, ir.VectorType(I32, columns)) for row in rows]
                    bytes_ = [_nearest_byte(builder, row) for row in wide]
                    rest = [builder.sub(x, _shifted(builder, y, 8)) for x, y in zip(wide, bytes_, strict=True)]
                    _measure(builder, rest, I64(j * columns), sums, magnitudes)
                    rows = [builder.trunc(row, ir.VectorType(I8, columns)) for row in bytes_]
                elif measured:
                    wide = [builder.sext(row, ir.VectorType(I32, columns)) for row in rows]
                    _measure(builder, wide, I64(j * columns), sums, magnitudes)
                while len(rows) > 1:  # a c, b d -> a b c d
                    half = len(rows) // 2
                    rows = [_joined(builder, rows[i], rows[half + i]) for i in range(half)]
                store(builder, rows[0], address(builder, target, (I64(j * columns * group), 1 if high else size)))
            return I64(0)

        return types.int64(*[types.int64] * 5), write

    return pack


def _measure(builder: Any, rows: list[Any], place: Any, sums: Any, magnitudes: Any) -> None:
    """Add rows, and their magnitudes, to two arrays."""
    _add_to(builder, address(builder, sums, (place, 4)), rows)
    _add_to(builder, address(builder, magnitudes, (place, 4)), [_absolute(builder, row) for row in rows])


def _nearest_byte(builder: Any, words: Any) -> Any:
    """Return words divided by 256, to the nearest (at most 127)."""
    kind = words.type
    half, shift, most = (ir.Constant(kind, [value] * kind.count) for value in (128, 8, 127))
    found = builder.ashr(builder.add(words, half), shift)
    return builder.select(builder.icmp_signed("<", found, most), found, most)


def _shifted(builder: Any, value: Any, bits: int) -> Any:
    return builder.shl(value, ir.Constant(value.type, [bits] * value.type.count))


def _joined(builder: Any, a: Any, b: Any) -> Any:
    n = a.type.count
    return shuffle(builder, a, b, [index for i in range(n) for index in (i, n + i)])


def _absolute(builder: Any, value: Any) -> Any:
    no = ir.Constant(ir.IntType(1), 0)
    return call(builder, f"llvm.abs.v{value.type.count}i32", value.type, value, no)


def _add_to(builder: Any, at: Any, values: list[Any]) -> None:
    total = load(builder, at, values[0].type)
    for value in values:
        total = builder.add(total, value)
    store(builder, total, at)


@lru_cache(maxsize=8)
def count_passing(dtype: str, lanes: int, limits: int, summed: bool) -> Any:
    """Return the intrinsic ``(keys, pitch, steps, thresholds, counts)``: which of some vectors pass which thresholds.

    It reads ``steps`` (at least 1) vectors of unsigned keys, ``pitch`` bytes apart, and writes for each threshold
    one vector of counters, as wide as the keys, or their sum in 32 bits.
    """
    element = ELEMENTS[dtype]
    size = element.width // 8

    @intrinsic
    def count(context, keys, pitch, steps, thresholds, counts):
        def write(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            _, pitch, steps, *_ = arguments
            keys, thresholds, counts = (opaque(builder, arguments[i]) for i in (0, 3, 4))
            kind = ir.VectorType(element, lanes)
            values = [load(builder, address(builder, thresholds, (I64(t), size)), element) for t in range(limits)]
            repeated = [repeat(builder, value, lanes) for value in values]

            def step(i: Any, state: list[Any]) -> list[Any]:
                vector = load(builder, builder.add(keys, builder.mul(i, pitch)), kind)
                passing = [builder.icmp_unsigned(">=", vector, limit) for limit in repeated]
                if summed:
                    return [builder.add(total, ones(builder, mask)) for total, mask in zip(state, passing, strict=True)]
                return [builder.sub(total, builder.sext(one, kind)) for total, one in zip(state, passing, strict=True)]

            nothing = I64(0) if summed else ir.Constant(kind, [0] * lanes)
            totals = loop(builder, I64(0), steps, [nothing] * limits, step)
            for t, total in enumerate(totals):
                value = builder.trunc(total, I32) if summed else total
                store(builder, value, address(builder, counts, (I64(t), 4 if summed else lanes * size)))
            return I64(0)

        return types.int64(*[types.int64] * 5), write

    return count
