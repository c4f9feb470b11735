"""Matrix product and convolution of QTensors in an accumulator."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fxpsim.array.accumulator import Accumulator
from fxpsim.array.casting import overflow_error
from fxpsim.array.counts import CastCounts, overflow_counts
from fxpsim.array.growth import product_format
from fxpsim.array.qtensor import QTensor
from fxpsim.array.scale import Scale
from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.numerics import FixedFormat, Overflow, RandomBits, Rounding

Codes = NDArray[Any]


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
        In the accumulator's format, with ``.counts`` of the updates that left its range (of the outputs, if it wraps).

    Raises
    ------
    UserError
        If an exact result needs more than 64 bits, a product more than 62, or a sum overflows with
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
    fmt, spec = _accumulation(a.format, b.format, x.shape[-1], accumulator, "matmul")
    bounds = (a.format.max_abs_code, b.format.max_abs_code)
    if y.ndim == 2:
        # leading axes of a are rows
        result = mac.matmul(
            _codes(x.reshape(-1, x.shape[-1])), _codes(y), spec(0), a_bound=bounds[0], b_bound=bounds[1]
        )
        codes, overflowed = result.codes.reshape(*x.shape[:-1], y.shape[-1]), result.overflowed
    else:
        codes, overflowed = _batched(x, y, spec, bounds)
    if a.ndim == 1:
        codes = codes[..., 0, :]
    if b.ndim == 1:
        codes = codes[..., 0]
    scale = _result_scale(a, b, codes.shape)
    return QTensor(codes, fmt, scale=scale, counts=_counts(codes, overflowed, accumulator, fmt, "matmul"), check=False)


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
    fmt, spec = _accumulation(x.format, w.format, taps, accumulator, "conv2d")
    result = mac.conv2d(
        _codes(x.codes),
        _codes(w.codes),
        spec(0),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        x_bound=x.format.max_abs_code,
        w_bound=w.format.max_abs_code,
    )
    counts = _counts(result.codes, result.overflowed, accumulator, fmt, "conv2d")
    return QTensor(result.codes, fmt, counts=counts, check=False)


def _require_tensors(operands: tuple[Any, ...], where: str, expected: str, fits: Callable[[QTensor], bool]) -> None:
    for q in operands:
        if not isinstance(q, QTensor) or not fits(q):
            raise UserError(
                f"operand of type {type(q).__name__} with shape {np.shape(q)}",
                where=where,
                expected=expected,
                remedy="cast(x, format) makes a QTensor",
            )


def _accumulation(
    a: FixedFormat, b: FixedFormat, terms: int, accumulator: Accumulator | None, where: str
) -> tuple[FixedFormat, Callable[[int], mac.MacSpec]]:
    """Return the format of the result, and the kernel's specification as a function of the item of a batch."""
    if accumulator is None:
        fmt = product_format(a, b, terms)
        if fmt.word_bits == 64 and not fmt.signed:
            raise UserError("64 unsigned bits", where=where, expected="at most 63", remedy="cast an operand")
        exact = mac.MacSpec(word_bits=fmt.word_bits, signed=fmt.signed, overflow=Overflow.WRAP)

        def same(item: int) -> mac.MacSpec:
            return exact

        return fmt, same
    acc, fmt = accumulator, accumulator.format

    def spec(item: int) -> mac.MacSpec:
        random = acc.random or RandomBits()
        key0, key1 = (random.derive("batch", item) if item else random).key
        shift = a.frac_bits + b.frac_bits - fmt.frac_bits
        return mac.MacSpec(
            word_bits=fmt.word_bits,
            signed=fmt.signed,
            overflow=acc.overflow,
            product_shift=shift,
            rounding=acc.rounding if shift > 0 or acc.rounding is Rounding.JAM else Rounding.FLOOR,
            order=acc.order,
            chunk=acc.chunk,
            key0=key0,
            key1=key1,
        )

    return fmt, spec


def _codes(codes: Codes) -> Codes:
    if codes.dtype == np.uint64:
        if codes.size and int(codes.max()) >> 63:
            raise UserError("codes use the last of 64 unsigned bits", where="matmul", expected="codes below 2**63")
        codes = codes.astype(np.int64)
    return np.ascontiguousarray(codes)


def _batched(x: Codes, y: Codes, spec: Callable[[int], mac.MacSpec], bounds: tuple[int, int]) -> tuple[Codes, int]:
    lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    left = np.broadcast_to(x, lead + x.shape[-2:]).reshape(-1, *x.shape[-2:])
    right = np.broadcast_to(y, lead + y.shape[-2:]).reshape(-1, *y.shape[-2:])
    results = [
        mac.matmul(_codes(p), _codes(q), spec(item), a_bound=bounds[0], b_bound=bounds[1])
        for item, (p, q) in enumerate(zip(left, right, strict=True))
    ]
    if not results:
        return np.zeros((*lead, x.shape[-2], y.shape[-1]), spec(0).dtype), 0
    codes = np.stack([r.codes for r in results])
    return codes.reshape(*lead, x.shape[-2], y.shape[-1]), sum(r.overflowed for r in results)


def _counts(codes: Codes, overflowed: int, accumulator: Accumulator | None, fmt: FixedFormat, where: str) -> CastCounts:
    if accumulator is None:
        return CastCounts(elements=codes.size)
    counts = overflow_counts(codes.size, accumulator.overflow, overflowed)
    if accumulator.overflow is Overflow.RAISE and counts.saturated:
        raise overflow_error(counts, fmt, where)
    return counts


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
