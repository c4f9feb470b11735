r"""Products of quantized matrices: exact integer sums, zero points included, and what is done after them.

For operands :math:`a_{mk} = s_m (p_{mk} - z_m) + o_m` and :math:`b_{kn} = t_n (q_{kn} - y_n) + r_n`

.. math:: \sum_k a_{mk} b_{kn} = s_m t_n P_{mn} + s_m r_n A_m + o_m t_n B_n + K \, o_m r_n

with the integers :math:`P = \sum_k (p - z)(q - y)`, :math:`A_m = \sum_k (p_{mk} - z_m)` and :math:`B_n = \sum_k
(q_{kn} - y_n)`. Hardware multiplies the raw codes and corrects:

.. math:: P_{mn} = \sum_k p q - y_n \sum_k p - z_m \sum_k q + K z_m y_n

Steps, zero points and offsets must not vary along k: that is why per-sample codes serve the input gradient but not the
weight gradient, whose k is the sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fxpsim.array import Scale
from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.numerics import Overflow
from fxpsim.quantizers.base import Encoded, Linear

Codes = NDArray[Any]


def affine_matmul(a: Codes, b: Codes, *, a_zero: ArrayLike = 0, b_zero: ArrayLike = 0) -> NDArray[np.int64]:
    r"""Return :math:`\sum_k (a_{mk} - z_m)(b_{kn} - y_n)`, exactly.

    Parameters
    ----------
    a, b : ndarray of integers, (M, K) and (K, N)
        Codes.
    a_zero : int or array_like of int, (M,)
        Zero point of a, or of each of its rows.
    b_zero : int or array_like of int, (N,)
        Zero point of b, or of each of its columns.

    Returns
    -------
    ndarray of int64, (M, N)

    Raises
    ------
    UserError
        If the shapes do not fit, or 63 bits might not hold every sum.

    Examples
    --------
    >>> affine_matmul(np.array([[3, 5]]), np.array([[2], [7]]), a_zero=4, b_zero=[1])
    array([[5]])
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or {a.dtype.kind, b.dtype.kind} - set("iu"):
        raise UserError(
            f"codes of {a.dtype} {a.shape} and {b.dtype} {b.shape}",
            where="affine_matmul",
            expected="integer codes (M, K) and (K, N)",
        )
    rows, columns = _zeros(a_zero, a.shape[0], "a_zero"), _zeros(b_zero, b.shape[1], "b_zero")
    terms = a.shape[1]
    reach = (_reach(a) + _reach(rows)) * (_reach(b) + _reach(columns)) * terms
    if reach >= 1 << 62:
        raise UserError(
            "sums of these codes may need more than 63 bits", where="affine_matmul", expected="shorter codes"
        )
    spec = mac.MacSpec(word_bits=64, overflow=Overflow.WRAP)
    result = mac.matmul(
        np.ascontiguousarray(a), np.ascontiguousarray(b), spec, a_bound=max(_reach(a), 1), b_bound=max(_reach(b), 1)
    )
    raw = result.codes.astype(np.int64)
    if columns.any():
        raw -= a.sum(axis=1, dtype=np.int64)[:, None] * columns
    if rows.any():
        raw -= rows[:, None] * (b.sum(axis=0, dtype=np.int64) - terms * columns)
    return raw


def contract(a: Encoded, b: Encoded) -> NDArray[np.float64]:
    """Return the product of two encoded matrices: exact integer sums, then one reading of them.

    The readings are applied in binary64, each operation rounded and in a fixed order; a transform of the rows of
    ``a`` (of the columns of ``b``: none has one) is undone at the end.

    Parameters
    ----------
    a, b : Encoded, (M, K) and (K, N)
        Linear codes. A transpose comes from :func:`transposed`.

    Raises
    ------
    UserError
        If a step, zero point or offset varies along K, or a transform mixes indices of the contraction.

    Examples
    --------
    >>> from fxpsim.quantizers.statquant_psq import StatQuantPSQ
    >>> a = StatQuantPSQ(rounding="half_even").encode(np.array([[0.0, 15.0], [1.0, 4.0]], np.float32), bits=4)
    >>> b = transposed(a)
    >>> contract(a, b).tolist()
    [[225.0, 60.0], [60.0, 17.0]]
    """
    left, right = _operand(a, 0, "a"), _operand(b, 1, "b")
    product = affine_matmul(a.codes, b.codes, a_zero=left.zero, b_zero=right.zero)
    result = product * left.step[:, None] * right.step
    if right.offset.any():
        sums = a.codes.sum(axis=1, dtype=np.int64) - a.shape[1] * left.zero
        result += (sums * left.step)[:, None] * right.offset
    if left.offset.any():
        sums = b.codes.sum(axis=0, dtype=np.int64) - a.shape[1] * right.zero
        result += left.offset[:, None] * (sums * right.step)
        result += a.shape[1] * (left.offset[:, None] * right.offset)
    return result if a.transform is None else a.transform.inverse(result)


def transposed(encoded: Encoded) -> Encoded:
    """Return the transpose of an encoded matrix without a transform; its rows' steps become its columns'."""
    linear = encoded.linear("transposed")
    if encoded.codes.ndim != 2 or encoded.transform is not None:
        raise UserError("no plain matrix", where="transposed", expected="two axes and no transform of the rows")
    scale = linear.scale

    def turn(array: NDArray[Any]) -> NDArray[Any]:
        return array.T if array.ndim == 2 else array[:, None] if array.ndim == 1 else array

    turned = Scale(
        step=turn(scale.step),
        zero_point=turn(scale.zero_point),
        word_bits=None if scale.word_bits is None else turn(scale.word_bits),
        block=scale.block[::-1],
    )
    return Encoded(
        codes=np.ascontiguousarray(encoded.codes.T),
        format=encoded.format,
        reading=Linear(scale=turned, offset=turn(np.asarray(linear.offset))),
        error_share=encoded.error_share,
        exponent_discarded=encoded.exponent_discarded,
    )


@dataclass(frozen=True, kw_only=True)
class _Operand:
    """Step, zero point and offset of every index of the axis that survives."""

    step: NDArray[np.float64]
    zero: NDArray[np.int64]
    offset: NDArray[np.float64]


def _operand(encoded: Encoded, kept: int, name: str) -> _Operand:
    linear = encoded.linear("contract")
    if encoded.codes.ndim != 2:
        raise UserError(f"{name} has shape {encoded.shape}", where="contract", expected="a matrix")
    if encoded.transform is not None and kept != 0:
        raise UserError(
            f"the rows of {name}, which the contraction runs over, were mixed",
            where="contract",
            expected="a transform on the axis that survives",
            remedy="quantize this operand by a method without a transform",
        )
    step, zero = linear.scale.full(encoded.shape)
    offset = np.broadcast_to(np.asarray(linear.offset, np.float64), encoded.shape)
    for what, array in (("step", step), ("zero point", zero), ("offset", offset)):
        lines = array if kept == 0 else array.T
        if (lines != lines[:, :1]).any():
            raise UserError(
                f"the {what} of {name} varies along K",
                where="contract",
                expected="one per row of a, per column of b, or per tensor",
                remedy="quantize per tensor or along the axis that survives; block_matmul takes blocks",
            )
    first = (slice(None), 0) if kept == 0 else (0, slice(None))
    return _Operand(step=step[first], zero=zero[first], offset=offset[first])


def _zeros(zero: ArrayLike, count: int, name: str) -> NDArray[np.int64]:
    array = np.asarray(zero)
    if array.dtype.kind not in "iu" or array.shape not in ((), (count,)):
        raise UserError(
            f"{name} is {array.dtype} of shape {array.shape}",
            where="affine_matmul",
            expected=f"a whole number, or {count} of them",
        )
    return np.broadcast_to(array.astype(np.int64), (count,))


def _reach(codes: Codes) -> int:
    return max(abs(int(codes.min())), abs(int(codes.max()))) if codes.size else 0
