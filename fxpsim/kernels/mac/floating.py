"""The operations on floats, with a pinned order: the same bits on every processor and with any number of threads.

Each result is a chain of fused multiply-adds, ``sum = fma(a, b, sum)``, from zero over increasing k (the orders of
the operations on codes). Each step is one IEEE 754 rounding in the type of the operands, binary32 or binary64; padding
is a product with zero, and so is what lies between narrow groups that are computed together (an infinity becomes NaN in
its neighbors). This order is our own choice; no accelerator is claimed to have it.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac.frames import image_of
from fxpsim.kernels.mac.packing import pack
from fxpsim.kernels.mac.tables import grouped
from fxpsim.kernels.mac.task import (
    Task,
    forward_task,
    gathered,
    input_grad_task,
    matmul_task,
    merged,
    own_results,
    side_by_side,
    weight_grad_task,
)
from fxpsim.kernels.mac.tile import FLOAT32, FLOAT64, Tile
from fxpsim.kernels.mac.tiles import Reading, prepared_tiles, tile_shape

_CACHED = 1024
_OWN_ROWS = 8  # of the tiles of depthwise convolutions, which have one register of columns
_TOGETHER = 16  # columns up to which groups are joined, on every processor


def _floats(*operands: np.ndarray) -> None:
    types = {operand.dtype for operand in operands}
    if types not in ({np.dtype(np.float32)}, {np.dtype(np.float64)}):
        raise UserError(
            "operands of type " + " and ".join(str(operand.dtype) for operand in operands),
            where="MAC array in floats",
            expected="both float32 or both float64",
        )


def _contract(task: Task) -> np.ndarray:
    whole = side_by_side(task)
    if whole is not None:
        return _run(replace(task, b=[whole]), own=True)
    wide = gathered(task, _TOGETHER)
    if wide is None:
        return _run(merged(task, _TOGETHER))
    result = np.empty(task.shape, task.a.dtype)
    own_results(_run(wide), task, result)
    return result


def _run(task: Task, *, own: bool = False) -> np.ndarray:
    dtype = task.a.dtype.type
    result = np.zeros(task.shape, dtype)
    if not result.size or not task.k:
        return result
    lane = FLOAT32 if dtype is np.float32 else FLOAT64
    rows, vectors = (_OWN_ROWS, 1) if own else tile_shape(task.n, lane.columns(cpu()), cpu().registers)
    tile = Tile(lane=lane, rows=rows, vectors=vectors, fused=True, own=own)
    grouping = grouped(task.contraction, 1)
    # the columns that fill up a panel read, too
    image = image_of(task.a, task.contraction.frame, lane.a_type, slack=lane.columns(cpu()) if own else 0)
    for group, b in enumerate(task.b):
        prepared_tiles(
            tile,
            Reading(floats=True),
            task.contraction,
            grouping.offsets,
            image,
            group * task.contraction.group_base,
            pack(b, grouping, lane, vectors),
            result.reshape(-1, result.shape[-1]),
            first=group * task.n,
            columns=task.n,
            segment=_CACHED,
        ).now()
    return result


def matmul_float(a: np.ndarray, b: np.ndarray, *, transpose_a: bool = False, transpose_b: bool = False) -> np.ndarray:
    """Multiply two matrices of floats, in the pinned order.

    Parameters
    ----------
    a : ndarray of float32 or float64, (M, K), or (K, M) if ``transpose_a``
    b : ndarray of the same type, (K, N), or (N, K) if ``transpose_b``
    transpose_a, transpose_b : bool
        Whether the operand is stored transposed.

    Returns
    -------
    ndarray, (M, N)

    Examples
    --------
    >>> a = np.array([[1e8, 1.0, -1e8]], np.float32)
    >>> matmul_float(a, np.ones((3, 1), np.float32))
    array([[0.]], dtype=float32)
    """
    _floats(a, b)
    return _contract(matmul_task(a, b, transpose_a, transpose_b))


def conv2d_float(
    x: np.ndarray, w: np.ndarray, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> np.ndarray:
    """Convolve floats; see :func:`fxpsim.kernels.mac.conv2d` for the parameters."""
    _floats(x, w)
    return _contract(forward_task(x, w, stride=stride, padding=padding, dilation=dilation, groups=groups))


def conv2d_input_grad_float(
    e: np.ndarray,
    w: np.ndarray,
    *,
    input_shape: tuple[int, ...],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> np.ndarray:
    """Propagate errors back; see :func:`fxpsim.kernels.mac.conv2d_input_grad` for the parameters."""
    _floats(e, w)
    window = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return _contract(input_grad_task(e, w, input_shape, **window))


def conv2d_weight_grad_float(
    x: np.ndarray,
    e: np.ndarray,
    *,
    kernel_shape: tuple[int, ...],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> np.ndarray:
    """Accumulate the gradient of a kernel; see :func:`fxpsim.kernels.mac.conv2d_weight_grad` for the parameters."""
    _floats(x, e)
    window = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return _contract(weight_grad_task(x, e, kernel_shape, **window))
