"""Sums and means of QTensors along axes."""

from math import prod
from typing import Any

import numpy as np

from fxpsim.array.arithmetic import require_plain, shift
from fxpsim.array.casting import cast
from fxpsim.array.growth import reduction_format
from fxpsim.array.qtensor import QTensor
from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, Overflow, Rounding


def sum(q: QTensor, axis: Any = None, *, keepdims: bool = False) -> QTensor:
    """Exact sum along ``axis``.

    >>> sum(QTensor([100, 100, 100], "s8f0"))
    QTensor(codes=300, format=s10f0, value=300.)
    """
    require_plain(q, q, "sum")
    fmt = reduction_format(q.format, _terms(q, axis))
    wide = np.int64 if fmt.signed else np.uint64
    total = np.sum(q.codes, axis=axis, dtype=wide, keepdims=keepdims)
    return QTensor(total, fmt, check=False)


def _terms(q: QTensor, axis: Any) -> int:
    axes: tuple[int, ...] = tuple(range(q.ndim)) if axis is None else tuple(np.atleast_1d(axis).tolist())
    return prod(q.shape[i] for i in axes)


def mean(
    q: QTensor,
    axis: Any = None,
    *,
    format: FixedFormat | str | None = None,
    rounding: Rounding | str = Rounding.HALF_EVEN,
    overflow: Overflow | str = Overflow.SATURATE,
    keepdims: bool = False,
) -> QTensor:
    """Mean along ``axis``: the exact sum over the count, rounded once.

    >>> mean(QTensor([1, 2, 2], "s8f0"), format="s8f2")
    QTensor(codes=7, format=s8f2, value=1.75)
    """
    total = sum(q, axis, keepdims=keepdims)
    count = _terms(q, axis)
    if count == 0:
        raise UserError("mean of no elements", where="mean", expected="at least one element")
    target = q.format if format is None else FixedFormat.parse(format)
    if count & (count - 1) == 0:
        return cast(shift(total, -(count.bit_length() - 1)), target, rounding, overflow)
    unit = total.format.step / count
    exact = np.empty(total.size, object)
    exact[:] = [unit * int(code) for code in total.codes.ravel().tolist()]
    return cast(exact.reshape(total.shape), target, rounding, overflow)
