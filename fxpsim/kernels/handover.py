"""The native entry of a kernel: the same code, callable by any thread without Python.

``entry(kernel)(board, units, count, *args)`` does what ``kernel(0, units, *args)`` does, with the units shared among
the members of a :class:`~fxpsim.kernels.crew.Crew`. Python hands the arguments over once. The entry lays them in a
*box* on its stack and gives the crew the addresses of the box and of a *thunk*, a C function that takes
``(begin, end, box)`` and calls the kernel. The first error of any call ends up in the box, and the entry raises it;
as ever with Numba, an error leaves the arguments with a reference too many.

``preparation(kernel)(box, *args)`` lays the arguments in a box of the caller's and returns the address of the thunk,
for a job that others execute later.
"""

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler import Flags, compile_internal
from numba.extending import intrinsic

from fxpsim.kernels.compiling import compiled_lazily
from fxpsim.kernels.crew import LEAD
from fxpsim.kernels.disk_cache import DiskCache

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_CODE, _INFO, _FIRST = 0, 1, 2  # fields of a box: status and description of an error, then the arguments
_WORDS = 9  # of an argument, at most on average


@cache
def entry(kernel: Any) -> Any:
    """Return the entry of a kernel, compiled on first call for each combination of argument types.

    Parameters
    ----------
    kernel : dispatcher
        What :func:`~fxpsim.kernels.jit.kernel` returns, with parameters ``(begin, end, *args)``.

    Returns
    -------
    dispatcher
        Takes ``(board, units, count, *args)``: the address of a crew's board (anything if ``count`` is 1), the number
        of units and the number of threads.
    """
    function = kernel.py_func
    code = function.__code__
    names = "".join(f"a{i}, " for i in range(code.co_argcount - 2))
    source = f"def entry(board, units, count, {names}):\n    share(board, units, count, ({names}))\n"
    scope: dict[str, Any] = {"__name__": __name__, "share": _sharing(function)}
    exec(compile(source, code.co_filename, "exec"), scope)
    shown = scope["entry"]
    # profiles show the kernel; and Numba makes the symbol out of the qualified name: symbols must differ
    shown.__code__ = shown.__code__.replace(co_name=code.co_name, co_firstlineno=code.co_firstlineno)
    shown.__qualname__ = f"entry.{function.__module__}.{function.__qualname__}"
    dispatcher: Any = compiled_lazily(shown)
    dispatcher._cache = DiskCache(function, role="entry")
    return dispatcher


@cache
def preparation(kernel: Any) -> Any:
    """Return what prepares a job of a kernel, compiled on first call for each combination of argument types.

    Returns
    -------
    dispatcher
        Takes ``(box, *args)``: the address of ``box_words(number of args)`` words. It returns the address of the thunk.
        Who gave the arguments keeps them, and the box, until the job is done.
    """
    function = kernel.py_func
    names = "".join(f"a{i}, " for i in range(function.__code__.co_argcount - 2))
    source = f"def prepare(box, {names}):\n    return lay(box, ({names}))\n"
    scope: dict[str, Any] = {"__name__": __name__, "lay": _laying(function)}
    exec(compile(source, function.__code__.co_filename, "exec"), scope)
    scope["prepare"].__qualname__ = f"prepare.{function.__module__}.{function.__qualname__}"
    dispatcher: Any = compiled_lazily(scope["prepare"])
    dispatcher._cache = DiskCache(function, role="preparation")
    return dispatcher


def box_words(arguments: int) -> int:
    """Return how many words a box takes: an array of two axes has nine."""
    return _FIRST + _WORDS * arguments


def _laying(function: Any) -> Any:
    """Return the intrinsic that lays arguments in a box."""

    @intrinsic
    def lay(typingctx, box, args):
        def codegen(context, builder, signature, values):
            at, arguments = values
            fields = [_I64(0), _I64(0), *cgutils.unpack_tuple(builder, arguments, len(args.types))]
            kind = ir.LiteralStructType([field.type for field in fields])
            assert context.get_abi_sizeof(kind) <= 8 * box_words(len(args.types)), "the box is too small"
            place = builder.inttoptr(at, kind.as_pointer())
            for i, field in enumerate(fields):
                builder.store(field, cgutils.gep_inbounds(builder, place, 0, i))
            thunk, _ = _thunk(context, builder, function, args.types, kind.as_pointer())
            return builder.ptrtoint(thunk, _I64)

        return types.int64(types.int64, args), codegen

    return lay


def _sharing(function: Any) -> Any:
    """Return the intrinsic that shares the units of a kernel."""

    @intrinsic
    def share(typingctx, board, units, count, args):
        def codegen(context, builder, signature, values):
            board, units, count, arguments = values
            fields = [_I64(0), _I64(0), *cgutils.unpack_tuple(builder, arguments, len(args.types))]
            box = cgutils.alloca_once(builder, ir.LiteralStructType([field.type for field in fields]))
            for i, field in enumerate(fields):
                builder.store(field, cgutils.gep_inbounds(builder, box, 0, i))
            thunk, status = _thunk(context, builder, function, args.types, box.type)
            place, data = builder.ptrtoint(thunk, _I64), builder.ptrtoint(box, _I64)
            with builder.if_else(builder.icmp_signed("<=", count, _I64(1))) as (alone, together):
                with alone:
                    builder.call(thunk, [_I64(0), units, data])
                with together:
                    lead = ir.FunctionType(_I64, [_I64] * 5).as_pointer()
                    at = builder.inttoptr(builder.add(board, _I64(LEAD)), lead.as_pointer())
                    builder.call(builder.load(at), [board, place, data, units, count])
            code = builder.trunc(builder.load(cgutils.gep_inbounds(builder, box, 0, _CODE)), _I32)
            with builder.if_then(builder.icmp_signed("!=", code, _I32(0)), likely=False):
                info = builder.load(cgutils.gep_inbounds(builder, box, 0, _INFO))
                status = status._replace(code=code, excinfoptr=builder.inttoptr(info, status.excinfoptr.type))
                context.call_conv.return_status_propagate(builder, status)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, args), codegen

    return share


def _thunk(context: Any, builder: Any, function: Any, kinds: tuple[Any, ...], box_type: Any) -> tuple[Any, Any]:
    """Write the C function that calls a kernel with the arguments of a box; return it and the status of its call."""
    flags: Any = Flags()
    flags.nrt = True
    flags.error_model = "numpy"
    flags.forceinline = True  # into the thunk, which is all that calls it
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    all_kinds = (types.int64, types.int64, *kinds)
    # straight into the entry's library: in one of its own it would be optimized and turned into machine code, too
    library = context.active_code_library
    compiled = compile_internal(context.typing_context, context, library, function, all_kinds, types.none, flags, {})
    library.get_function(compiled.fndesc.mangled_name).linkage = "linkonce_odr"  # gone once it is inlined
    thunk = ir.Function(builder.module, ir.FunctionType(_I64, [_I64] * 3), f"{builder.function.name}.thunk")
    thunk.linkage = "internal"
    thunk.attributes.add("noinline")  # once is enough
    inside = ir.IRBuilder(thunk.append_basic_block("entry"))
    begin, end, data = thunk.args
    box = inside.inttoptr(data, box_type)
    fields = range(_FIRST, len(box_type.pointee.elements))
    arguments = [inside.load(cgutils.gep_inbounds(inside, box, 0, i)) for i in fields]
    arguments = [_borrowed(context, inside, k, a) for k, a in zip(kinds, arguments, strict=True)]
    callee = context.declare_function(builder.module, compiled.fndesc)
    status, _ = context.call_conv.call_function(inside, callee, types.none, all_kinds, [begin, end, *arguments])
    with inside.if_then(status.is_error, likely=False):
        flag = cgutils.gep_inbounds(inside, box, 0, _CODE)
        found = inside.cmpxchg(flag, _I64(0), inside.sext(status.code, _I64), "seq_cst", "seq_cst")
        with inside.if_then(inside.extract_value(found, 1)):
            info = inside.ptrtoint(status.excinfoptr, _I64)
            inside.store(info, cgutils.gep_inbounds(inside, box, 0, _INFO))
    inside.ret(_I64(0))
    return thunk, status


def _borrowed(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return an argument whose arrays are not counted: the caller of the entry keeps them alive.

    Every view of an array would otherwise change its count, and the threads would pass the count's cache line to and
    fro: a kernel that takes one row after the other got slower by a second thread.
    """
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        members: tuple[Any, ...] = getattr(kind, "types")  # noqa: B009  # its subclasses have it
        parts = [_borrowed(context, builder, k, builder.extract_value(value, i)) for i, k in enumerate(members)]
        return context.make_tuple(builder, kind, parts)
    return value
