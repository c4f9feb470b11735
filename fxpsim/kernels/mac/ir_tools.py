"""Shorthand for the LLVM IR that the generators of this folder write. Addresses are 64-bit integers."""

from typing import Any

from llvmlite import ir

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
F32, F64 = ir.FloatType(), ir.DoubleType()
ELEMENTS = {"int8": I8, "uint8": I8, "int16": I16, "int32": I32, "int64": I64, "float32": F32, "float64": F64}


def address(builder: Any, base: Any, *steps: tuple[Any, int]) -> Any:
    """Return base plus index * size for each step."""
    for index, size in steps:
        base = builder.add(base, builder.mul(index, I64(size)) if size > 1 else index)
    return base


def opaque(builder: Any, place: Any) -> Any:
    """Return an address of which LLVM no longer knows where it came from.

    Where it does, it takes accesses by an address computed from integers for accesses to something else than the array
    itself, and keeps elements in registers that were changed in memory meanwhile. An empty assembly costs nothing.
    """
    return builder.call(ir.InlineAsm(ir.FunctionType(I64, [I64]), "", "=r,0"), [place])


def load(builder: Any, at: Any, kind: Any) -> Any:
    """Load without any promise of alignment (NumPy gives none); aligned data is as fast."""
    return builder.load(builder.inttoptr(at, kind.as_pointer()), align=1)


def store(builder: Any, value: Any, at: Any) -> None:
    """Store without any promise of alignment."""
    builder.store(value, builder.inttoptr(at, value.type.as_pointer()), align=1)


def repeat(builder: Any, value: Any, count: int) -> Any:
    """Return a vector with the value in all lanes."""
    kind = ir.VectorType(value.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, I32(0))
    return shuffle(builder, first, ir.Constant(kind, ir.Undefined), [0] * count)


def shuffle(builder: Any, a: Any, b: Any, picks: list[int]) -> Any:
    """Return the picked lanes of a followed by b."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(picks)), picks))


def call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call an LLVM intrinsic."""
    module = builder.module
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, ir.FunctionType(result, [a.type for a in arguments]), name)
    return builder.call(function, arguments)


def ones(builder: Any, mask: Any) -> Any:
    """Return how many lanes of a mask (of up to 64) are set, in 64 bits."""
    bits = builder.bitcast(mask, ir.IntType(mask.type.count))
    return builder.ctpop(builder.zext(bits, I64) if mask.type.count < 64 else bits)
