"""Plain Python: the products of each output in order, then the accumulator of the specification."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product

import numpy as np

from fxpsim.kernels.mac import MacSpec
from fxpsim.numerics import FixedFormat, Overflow, oracle

Products = list[tuple[int, int]]  # (flat index k, product)


def accumulate(products: Products, spec: MacSpec, word: Callable[[int], int]) -> tuple[int, int]:
    """Return the code and how often it was out of range; a k without a product keeps its place in a chunk."""
    fmt = FixedFormat(word_bits=spec.word_bits, frac_bits=0, signed=spec.signed)
    chunks: dict[int, int] = {}
    for k, value in products:
        noise = word(k) if spec.rounding.is_stochastic else 0
        rounded = oracle.round_fraction(Fraction(value) / Fraction(2) ** spec.product_shift, spec.rounding, noise)
        chunks[k // spec.step] = chunks.get(k // spec.step, 0) + rounded
    overflow = Overflow.SATURATE if spec.overflow is Overflow.RAISE else spec.overflow
    total, outside = 0, 0
    for part in chunks.values():
        outside += not spec.min_code <= total + part <= spec.max_code
        total = oracle.bring_into_range(total + part, fmt, overflow)
    if spec.overflow is Overflow.WRAP:
        outside = int(not spec.min_code <= sum(chunks.values()) <= spec.max_code)
    return total, outside


def products_of(kind: str, a: np.ndarray, b: np.ndarray, index: tuple[int, ...], window: tuple | None) -> Iterator:
    """Yield (flat index k, product) of one output."""
    if kind == "matmul":
        yield from ((k, a[index[0], k] * b[k, index[1]]) for k in range(a.shape[1]))
        return
    assert window is not None
    stride, ((top, _), (left, _)), dilation, groups = window

    def inside(y: int, x: int) -> bool:
        return 0 <= y < a.shape[1] and 0 <= x < a.shape[2]

    if kind == "forward":
        n, oh, ow, k = index
        rows, columns, channels, out_channels = b.shape
        first = k // (out_channels // groups) * channels
        for i, (r, s, c) in enumerate(product(range(rows), range(columns), range(channels))):
            y, x = oh * stride[0] + r * dilation[0] - top, ow * stride[1] + s * dilation[1] - left
            if inside(y, x):
                yield i, a[n, y, x, first + c] * b[r, s, c, k]
    elif kind == "input_grad":
        n, h, w, c = index
        rows, columns, channels, out_channels = b.shape
        each = out_channels // groups
        first = c // channels * each
        for i, (r, s, k) in enumerate(product(range(rows), range(columns), range(each))):
            y, missed_y = divmod(h + top - r * dilation[0], stride[0])
            x, missed_x = divmod(w + left - s * dilation[1], stride[1])
            if not missed_y and not missed_x and inside(y, x):
                yield i, a[n, y, x, first + k] * b[r, s, c % channels, first + k]
    else:
        r, s, c, k = index
        images, height, width, out_channels = b.shape
        first = k // (out_channels // groups) * (a.shape[3] // groups)
        for i, (n, oh, ow) in enumerate(product(range(images), range(height), range(width))):
            y, x = oh * stride[0] + r * dilation[0] - top, ow * stride[1] + s * dilation[1] - left
            if inside(y, x):
                yield i, a[n, y, x, first + c] * b[n, oh, ow, k]


def run(
    kind: str,
    a: np.ndarray,
    b: np.ndarray,
    shape: tuple[int, ...],
    window: tuple | None,
    spec: MacSpec,
    word: Callable[[tuple[int, ...], int], int] = lambda index, k: 0,
) -> tuple[np.ndarray, int, int]:
    """Return (codes, overflowed, max_abs) of one operation.

    ``kind`` is ``matmul``, ``forward``, ``input_grad`` or ``weight_grad``; ``window`` is (stride, padding, dilation,
    groups) with pairs throughout.
    """
    a, b = a.astype(object), b.astype(object)
    found = np.zeros(shape, object)
    overflowed = 0
    for index in np.ndindex(*shape):
        products = list(products_of(kind, a, b, index, window))
        found[index], outside = accumulate(products, spec, lambda k, index=index: word(index, k))
        overflowed += outside
    return found.astype(np.int64), overflowed, int(np.abs(found).max())
