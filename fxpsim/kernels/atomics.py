"""Words of memory that threads share: atomic operations for kernels, and calls by address.

Addresses are 64-bit integers. Every operation orders the memory accesses around it: whoever sees a stored word also
sees what the storing thread wrote before.
"""

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic as numba_intrinsic

_I64 = ir.IntType(64)
_WORD_BYTES = 8


def _intrinsic(function: Callable[..., Any]) -> Any:
    """Keep from the type checker that the first parameter is Numba's own."""
    return numba_intrinsic(function)


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _I64.as_pointer())


@_intrinsic
def load(typingctx, address):
    """Return the word at an address."""

    def codegen(context, builder, signature, arguments):
        return builder.load_atomic(_pointer(builder, arguments[0]), "acquire", _WORD_BYTES)

    return types.int64(types.int64), codegen


@_intrinsic
def store(typingctx, address, value):
    """Write the word at an address."""

    def codegen(context, builder, signature, arguments):
        builder.store_atomic(arguments[1], _pointer(builder, arguments[0]), "release", _WORD_BYTES)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@_intrinsic
def exchange(typingctx, address, value):
    """Write the word at an address and return the one that was there."""

    def codegen(context, builder, signature, arguments):
        return builder.atomic_rmw("xchg", _pointer(builder, arguments[0]), arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@_intrinsic
def fetch_add(typingctx, address, value):
    """Add to the word at an address and return what was there before."""

    def codegen(context, builder, signature, arguments):
        return builder.atomic_rmw("add", _pointer(builder, arguments[0]), arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), codegen


@_intrinsic
def replace(typingctx, address, old, new):
    """Write ``new`` if the word at an address is ``old``, and return whether it was."""

    def codegen(context, builder, signature, arguments):
        found = builder.cmpxchg(_pointer(builder, arguments[0]), arguments[1], arguments[2], "seq_cst", "seq_cst")
        return builder.extract_value(found, 1)

    return types.boolean(types.int64, types.int64, types.int64), codegen


@_intrinsic
def relax(typingctx):
    """Tell the processor that this thread waits for a word to change (nothing, where it has no such hint)."""

    def codegen(context, builder, signature, arguments):
        machine = llvm.get_process_triple().partition("-")[0]
        name, operands = {
            "x86_64": ("llvm.x86.sse2.pause", []),
            "arm64": ("llvm.aarch64.hint", [ir.IntType(32)(1)]),
            "aarch64": ("llvm.aarch64.hint", [ir.IntType(32)(1)]),
        }.get(machine, ("", []))
        if name:
            kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
            known = builder.module.globals.get(name)
            builder.call(known or ir.Function(builder.module, kind, name), operands)
        return context.get_dummy_value()

    return types.void(), codegen


@_intrinsic
def call(typingctx, function, first, second, third):
    """Call the C function at an address with three words and return its result."""

    def codegen(context, builder, signature, arguments):
        kind = ir.FunctionType(_I64, [_I64] * 3)
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])

    return types.int64(types.int64, types.int64, types.int64, types.int64), codegen
