"""Moving and joining QTensors: reshape, transpose, concatenate, stack."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array.arithmetic import aligned_codes, as_operand, require_plain
from fxpsim.array.growth import common_format
from fxpsim.array.qtensor import QTensor
from fxpsim.array.scale import Scale
from fxpsim.errors import UserError

Array = NDArray[Any]


def moved(q: QTensor, move: Callable[[Array], Array]) -> QTensor:
    """Move elements: a reshape or a transpose of codes and steps alike."""
    scale = q.scale
    if scale is not None and not scale.is_scalar:
        step, zero = scale.full(q.shape)
        scale = Scale(step=move(step), zero_point=move(zero))
    return q.with_codes(move(q.codes), scale)


def concatenate(tensors: Sequence[QTensor], axis: int = 0) -> QTensor:
    """Join tensors along an axis; different formats meet in the shortest one that holds them all.

    >>> concatenate([QTensor([1], "s4f0"), QTensor([1], "s4f2")])
    QTensor(codes=[4, 1], format=s6f2, value=[1.  , 0.25])
    """
    return _joined(tensors, lambda arrays: np.concatenate(arrays, axis=axis))


def stack(tensors: Sequence[QTensor], axis: int = 0) -> QTensor:
    """Join tensors along a new axis."""
    return _joined(tensors, lambda arrays: np.stack(arrays, axis=axis))


def _joined(tensors: Sequence[QTensor], join: Callable[[list[Array]], Array]) -> QTensor:
    operands = [as_operand(q) for q in tensors]
    if not operands:
        raise UserError("nothing to join", where="concatenate", expected="at least one QTensor")
    for q in operands:
        require_plain(q, q, "joining")
    fmt = common_format([q.format for q in operands])
    return QTensor(join([aligned_codes(q, fmt) for q in operands]), fmt, check=False)
