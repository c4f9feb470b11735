"""What NumPy's own functions do with a QTensor: the few that are exact, and a clear refusal for the others."""

from operator import attrgetter
from typing import Any

import numpy as np

from fxpsim.array import arithmetic, joining, reductions
from fxpsim.array.products import matmul
from fxpsim.array.qtensor import QTensor
from fxpsim.errors import UserError

_COMPARISONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
_UFUNCS: dict[Any, Any] = {
    np.add: arithmetic.add,
    np.subtract: arithmetic.subtract,
    np.multiply: arithmetic.multiply,
    np.matmul: matmul,
    np.negative: arithmetic.negative,
    np.absolute: arithmetic.absolute,
}
_FUNCTIONS: dict[Any, Any] = {
    np.concatenate: joining.concatenate,
    np.stack: joining.stack,
    np.sum: reductions.sum,
    np.mean: reductions.mean,
    np.shape: attrgetter("shape"),
    np.ndim: attrgetter("ndim"),
    np.size: attrgetter("size"),
    np.reshape: QTensor.reshape,
    np.transpose: QTensor.transpose,
}


def _refused(name: str) -> UserError:
    return UserError(
        f"numpy.{name} is not defined for fixed point",
        where="QTensor",
        expected="+ - * @ << >> comparisons, abs, sum, mean, reshape, transpose, concatenate, stack, "
        "or a function of fxpsim.array.functions",
        remedy=f"for the float result: numpy.{name}(numpy.asarray(q))",
    )


def apply_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a ufunc: exact arithmetic, comparison, or a refusal with a hint."""
    if method == "__call__" and not kwargs:
        if ufunc in _UFUNCS:
            return _UFUNCS[ufunc](*inputs)
        if ufunc in _COMPARISONS:
            return arithmetic.compare(arithmetic.as_operand(inputs[0]), inputs[1], ufunc)
    raise _refused(ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}")


def apply_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer a NumPy function that was given a QTensor."""
    if function not in _FUNCTIONS:
        raise _refused(function.__name__)
    return _FUNCTIONS[function](*args, **kwargs)
