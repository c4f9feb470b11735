"""Matrix product and convolution of QTensors in an accumulator."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fxpsim.array.accumulator import Accumulator
from fxpsim.array.casting import overflow_error
from fxpsim.array.contraction import Codes, Contraction, as_operand_codes
from fxpsim.array.counts import CastCounts
from fxpsim.array.qtensor import QTensor
from fxpsim.array.scale import Scale
from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.numerics import Overflow


def matmul(a: QTensor, b: QTensor, accumulator: Accumulator | None = None) -> QTensor:
    r"""Matrix product.

    .. math:: y_{mn} = \sum_k a_{mk} b_{kn}

    Parameters
    ----------
    a, b : QTensor
        With one or two axes, or more: leading axes broadcast as in ``numpy.matmul``. A scale must not vary along K.
    accumulator : Accumulator, optional
        How products are rounded and added. None: the exact sum in a word that holds every sum.

    Returns
    -------
    QTensor
        In the accumulator's format, with ``.counts`` of the updates that left its range (of the outputs, if it wraps),
        and of the products that were rounded to zero or changed by their rounding.

    Raises
    ------
    UserError
        If an exact result needs more than 64 bits, a product more than 127, or a sum overflows with
        ``overflow="raise"``.

    Examples
    --------
    >>> a = QTensor([[100, 100, -100]], "s8f0")
    >>> matmul(a, a.T)
    QTensor(codes=[[30000]], format=s18f0, value=[[30000.]])
    >>> y = matmul(a, a.T, Accumulator(format="s15f0", overflow="saturate"))
    >>> y, y.counts.saturated
    (QTensor(codes=[[16383]], format=s15f0, value=[[16383.]]), 2)
    """
    _require_tensors((a, b), "matmul", "two QTensors with at least one axis", lambda q: q.ndim > 0)
    x, y = a.codes, b.codes
    if a.ndim == 1:
        x = x[None, :]
    if b.ndim == 1:
        y = y[:, None]
    if x.shape[-1] != y.shape[-2]:
        raise UserError(f"shapes {a.shape} and {b.shape}", where="matmul", expected="(..., M, K) times (..., K, N)")
    if accumulator is not None and (a.scale or b.scale) and accumulator.format.frac_bits != 0:
        raise UserError("an accumulator with fractional bits", where="matmul of tensors with a scale", expected="0")
    sums = Contraction(a=a.format, b=b.format, terms=x.shape[-1], accumulator=accumulator)
    if y.ndim == 2:
        # leading axes of a are rows
        codes, counts = sums.matmul(x.reshape(-1, x.shape[-1]), y)
        codes = codes.reshape(*x.shape[:-1], y.shape[-1])
    else:
        codes, counts = _batched(x, y, sums)
    if a.ndim == 1:
        codes = codes[..., 0, :]
    if b.ndim == 1:
        codes = codes[..., 0]
    scale = _result_scale(a, b, codes.shape)
    _raise_for(counts, accumulator, "matmul")
    return QTensor(codes, sums.format, scale=scale, counts=counts, check=False)


def conv2d(
    x: QTensor,
    w: QTensor,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    accumulator: Accumulator | None = None,
) -> QTensor:
    """Two-dimensional convolution (correlation), summed in the order (r, s, c).

    Parameters
    ----------
    x : QTensor, (N, H, W, C)
        Activations.
    w : QTensor, (R, S, C / groups, K)
        Weights.
    stride, dilation : int or (rows, columns)
        Steps of the window and of the taps in it.
    padding : int, (rows, columns) or ((top, bottom), (left, right))
        Positions in the padding make no product.
    groups : int
        Groups of channels.
    accumulator : Accumulator, optional
        As of :func:`matmul`.

    Returns
    -------
    QTensor, (N, OH, OW, K)
        In the accumulator's format.

    Examples
    --------
    >>> import numpy as np
    >>> ones = QTensor(np.ones((1, 3, 3, 1), int), "s4f0")
    >>> conv2d(ones, ones.reshape(3, 3, 1, 1), padding=1).codes[0, :, :, 0].tolist()
    [[4, 6, 4], [6, 9, 6], [4, 6, 4]]
    """
    wanted = "QTensors without a scale: x (N, H, W, C), w (R, S, C / groups, K)"
    _require_tensors((x, w), "conv2d", wanted, lambda q: q.ndim == 4 and q.scale is None)
    taps = int(np.prod(w.shape[:3]))
    sums = Contraction(a=x.format, b=w.format, terms=taps, accumulator=accumulator)
    if not sums.is_narrow:
        raise UserError(
            f"products of {x.format} and {w.format} in {sums.format}",
            where="conv2d",
            expected="products (and chunks of them) of at most 61 bits, accumulators of at most 62",
            remedy="shorten an operand or the accumulator, or unfold the windows and use matmul",
        )
    result = mac.conv2d(
        as_operand_codes(x.codes),
        as_operand_codes(w.codes),
        sums.spec(),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        x_bound=x.format.max_abs_code,
        w_bound=w.format.max_abs_code,
    )
    counts = sums.counts(result)
    _raise_for(counts, accumulator, "conv2d")
    return QTensor(result.codes, sums.format, counts=counts, check=False)


def _require_tensors(operands: tuple[Any, ...], where: str, expected: str, fits: Callable[[QTensor], bool]) -> None:
    for q in operands:
        if not isinstance(q, QTensor) or not fits(q):
            raise UserError(
                f"operand of type {type(q).__name__} with shape {np.shape(q)}",
                where=where,
                expected=expected,
                remedy="cast(x, format) makes a QTensor",
            )


def _batched(x: Codes, y: Codes, sums: Contraction) -> tuple[Codes, CastCounts]:
    lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    left = np.broadcast_to(x, lead + x.shape[-2:]).reshape(-1, *x.shape[-2:])
    right = np.broadcast_to(y, lead + y.shape[-2:]).reshape(-1, *y.shape[-2:])
    results = [sums.matmul(p, q, item) for item, (p, q) in enumerate(zip(left, right, strict=True))]
    if not results:
        return np.zeros((*lead, x.shape[-2], y.shape[-1]), np.int64), CastCounts()
    codes = np.stack([codes for codes, _ in results])
    counts = sum((counts for _, counts in results), CastCounts())
    return codes.reshape(*lead, x.shape[-2], y.shape[-1]), counts


def _raise_for(counts: CastCounts, accumulator: Accumulator | None, where: str) -> None:
    if accumulator is not None and accumulator.overflow is Overflow.RAISE and counts.saturated:
        raise overflow_error(counts, accumulator.format, where)


def _result_scale(a: QTensor, b: QTensor, shape: tuple[int, ...]) -> Scale | None:
    """Multiply the steps of the operands, which must not vary along K nor have zero points."""
    if a.scale is None and b.scale is None:
        return None
    steps: list[Any] = []
    for q, axis in ((a, -1), (b, -2 if b.ndim > 1 else -1)):
        if q.scale is None:
            if q.format.frac_bits:
                raise UserError("a scaled and an unscaled operand with fractional bits", where="matmul")
            continue
        step, zero = q.scale.full(q.shape)
        first = np.take(step, [0], axis=axis)
        if zero.any() or (step != first).any():
            raise UserError(
                "a scale that varies along K, or has zero points",
                where="matmul",
                expected="one step per tensor, per row of a, or per column of b",
                remedy="cast to a format, or correct for the zero points outside",
            )
        steps.append(first if q.ndim > 1 else first.ravel()[0])
    total = steps[0] if len(steps) == 1 else steps[0] * steps[1]
    return Scale(step=np.broadcast_to(total, shape))
