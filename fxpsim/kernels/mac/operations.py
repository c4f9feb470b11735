"""The operations of the MAC array on integer codes."""

from typing import Any

import numpy as np

from fxpsim.errors import UserError
from fxpsim.kernels.mac.dispatch import contract
from fxpsim.kernels.mac.spec import MacResult, MacSpec
from fxpsim.kernels.mac.task import forward_task, input_grad_task, matmul_task, weight_grad_task


def _codes(*operands: np.ndarray) -> None:
    for operand in operands:
        if operand.dtype.kind not in "iu" or operand.dtype == np.uint64:
            raise UserError(
                f"operand of type {operand.dtype}",
                where="MAC array",
                expected="codes of type int8 to int64 or uint8 to uint32",
                remedy="quantize floats first, or use the *_float functions",
            )


def matmul(
    a: np.ndarray,
    b: np.ndarray,
    spec: MacSpec,
    *,
    a_bound: int,
    b_bound: int,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> MacResult:
    """Multiply two matrices of codes in an accumulator.

    Parameters
    ----------
    a : ndarray, (M, K), or (K, M) if ``transpose_a``
    b : ndarray, (K, N), or (N, K) if ``transpose_b``
    spec : MacSpec
        The accumulator; sums run over increasing k.
    a_bound, b_bound : int
        Largest magnitude that the operands' formats allow.
    transpose_a, transpose_b : bool
        Whether the operand is stored transposed.

    Returns
    -------
    MacResult
        With codes of shape (M, N).

    Raises
    ------
    UserError
        If the shapes do not fit or a product can exceed 2^62.

    Examples
    --------
    >>> a = np.array([[100, 100, -100]], np.int8)
    >>> y = matmul(a, a, MacSpec(word_bits=15, overflow="saturate"), a_bound=128, b_bound=128, transpose_b=True)
    >>> y.codes, y.overflowed, y.products
    (array([[16383]], dtype=int32), 2, 3)
    """
    _codes(a, b)
    return contract(matmul_task(a, b, transpose_a, transpose_b), spec, a_bound, b_bound)


def conv2d(
    x: np.ndarray,
    w: np.ndarray,
    spec: MacSpec,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    x_bound: int,
    w_bound: int,
) -> MacResult:
    """Convolve codes; sums run over increasing (r, s, c), and padding makes no products.

    Parameters
    ----------
    x : ndarray, (N, H, W, C)
    w : ndarray, (R, S, C / groups, K)
    spec : MacSpec
    stride, dilation : int or (rows, columns)
    padding : int, (rows, columns) or ((top, bottom), (left, right))
    groups : int
    x_bound, w_bound : int
        Largest magnitude that the operands' formats allow.

    Returns
    -------
    MacResult
        With codes of shape (N, OH, OW, K).

    Examples
    --------
    >>> x, w = np.ones((1, 3, 3, 1), np.int8), np.ones((3, 3, 1, 1), np.int8)
    >>> conv2d(x, w, MacSpec(), padding=1, x_bound=1, w_bound=1).codes[0, :, :, 0]
    array([[4, 6, 4],
           [6, 9, 6],
           [4, 6, 4]], dtype=int32)
    """
    _codes(x, w)
    task = forward_task(x, w, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return contract(task, spec, x_bound, w_bound)


def conv2d_input_grad(
    e: np.ndarray,
    w: np.ndarray,
    spec: MacSpec,
    *,
    input_shape: tuple[int, ...],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    e_bound: int,
    w_bound: int,
) -> MacResult:
    """Propagate codes of errors back through a convolution; sums run over increasing (r, s, k).

    Parameters
    ----------
    e : ndarray, (N, OH, OW, K)
    w : ndarray, (R, S, C / groups, K)
    spec : MacSpec
    input_shape : (N, H, W, C)
    stride, padding, dilation, groups
        Those of the convolution.
    e_bound, w_bound : int
        Largest magnitude that the operands' formats allow.

    Returns
    -------
    MacResult
        With codes of shape (N, H, W, C).
    """
    _codes(e, w)
    window = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return contract(input_grad_task(e, w, input_shape, **window), spec, e_bound, w_bound)


def conv2d_weight_grad(
    x: np.ndarray,
    e: np.ndarray,
    spec: MacSpec,
    *,
    kernel_shape: tuple[int, ...],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    x_bound: int,
    e_bound: int,
    later: bool = False,
) -> MacResult:
    """Accumulate the gradient of a convolution's kernel; sums run over increasing (n, oh, ow).

    Parameters
    ----------
    x : ndarray, (N, H, W, C)
    e : ndarray, (N, OH, OW, K)
    spec : MacSpec
    kernel_shape : (R, S, C / groups, K)
    stride, padding, dilation, groups
        Those of the convolution.
    x_bound, e_bound : int
        Largest magnitude that the operands' formats allow.
    later : bool
        Whether the result may come ``unfinished``: idle threads work on it until it is asked for.

    Returns
    -------
    MacResult
        With codes of shape (R, S, C / groups, K).
    """
    _codes(x, e)
    window = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return contract(weight_grad_task(x, e, kernel_shape, **window), spec, x_bound, e_bound, later=later)
