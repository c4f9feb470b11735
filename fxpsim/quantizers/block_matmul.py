r"""Exact product of two matrices in blocks of floating exponent, mixed word lengths included.

.. math:: y_{mn} = \sum_\kappa 2^{e_{m\kappa} + f_{\kappa n}} \sum_{k \in \kappa} p_{mk} q_{kn}

The inner sums are integers. They are added exactly in a frame of 63 bits whose last place is the finest exponent that
occurs in the sum; where the exponents of one sum spread further, its terms are added as Python integers. Either way the
result is the exact sum rounded once to binary64, and independent of any order. Blocks of zeros make no product: their
exponents do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fxpsim.errors import UserError
from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for
from fxpsim.quantizers.base import Encoded

FRAME_BITS = 62
NOTHING = 1 << 20  # exponent of a block of zeros


@dataclass(frozen=True, kw_only=True)
class _Blocks:
    """Codes of a matrix, its block lengths and the exponents of its blocks."""

    codes: NDArray[np.int32]
    block: tuple[int, int]
    exponents: NDArray[np.int64]


def block_matmul(a: Encoded, b: Encoded) -> NDArray[np.float64]:
    """Return the product of two block floating point matrices: the exact sums, rounded once.

    Parameters
    ----------
    a, b : Encoded, (M, K) and (K, N)
        Codes with a power-of-two step per block (or per tensor); blocks of both have one length along K.

    Returns
    -------
    ndarray of float64, (M, N)

    Raises
    ------
    UserError
        If the shapes or the blocks do not fit.

    Examples
    --------
    >>> from fxpsim.quantizers.dynasty import DynastyBlocks
    >>> x = np.eye(8, dtype=np.float32)
    >>> e = DynastyBlocks().encode(x, bits=np.array([[8, 2], [4, 2]]))
    >>> bool((block_matmul(e, e) == x).all())
    True
    """
    left, right = _blocks(a, "a"), _blocks(b, "b")
    if left.codes.shape[1] != right.codes.shape[0] or left.block[1] != right.block[0]:
        raise UserError(
            f"shapes {a.shape} and {b.shape} in blocks of {left.block} and {right.block}",
            where="block_matmul",
            expected="(M, K) times (K, N), in blocks of one length along K",
            remedy="cut the second operand along axis 0 as the first along axis 1",
        )
    out = np.zeros((a.shape[0], b.shape[1]))
    wide = np.zeros(out.shape, np.bool_)
    columns = np.ascontiguousarray(right.codes.T)
    sizes = np.array([left.block[0], left.block[1], right.block[1]], np.int64)
    parallel_for(_products, len(out), left.codes, columns, left.exponents, right.exponents, sizes, out, wide)
    for row, column in np.argwhere(wide).tolist():
        out[row, column] = _exact(left, right, row, column)
    return out


def block_bit_products(a: Encoded, b: Encoded) -> int:
    """Return the sum over all products of bits times bits: what ideal bit-serial hardware works off.

    Blocks of no bits are skipped. A tensor without a map of bits counts with its word length.

    >>> from fxpsim.quantizers.dynasty import DynastyBlocks
    >>> ones = np.ones((4, 8), np.float32)
    >>> a = DynastyBlocks().encode(ones, bits=np.array([[8, 0]]))
    >>> block_bit_products(a, DynastyBlocks().encode(ones.T.copy(), bits=2))
    1024
    """
    return int(a.element_bits().sum(axis=0) @ b.element_bits().sum(axis=1))


def _blocks(encoded: Encoded, name: str) -> _Blocks:
    linear = encoded.linear("block_matmul")
    scale = linear.scale
    plain = encoded.codes.ndim == 2 and encoded.transform is None and not np.any(linear.offset)
    if not plain or scale.zero_point.any() or not scale.is_power_of_two or encoded.format.word_bits > 16:
        raise UserError(
            f"operand {name} is no matrix in power-of-two blocks",
            where="block_matmul",
            expected="two axes, power-of-two steps, codes of at most 16 bits, no zero points, offsets or transform",
        )
    block = (scale.block[0], scale.block[1]) if scale.block else (1, 1)
    shape = tuple(-(-n // length) for n, length in zip(encoded.shape, block, strict=True))
    exponents = np.broadcast_to(np.frexp(scale.step)[1].astype(np.int64) - 1, shape).copy()
    codes = encoded.codes.astype(np.int32)
    used = np.abs(codes)
    for axis, length in enumerate(block):
        used = np.maximum.reduceat(used, np.arange(0, codes.shape[axis], length), axis=axis)
    exponents[used == 0] = NOTHING
    return _Blocks(codes=codes, block=block, exponents=exponents)


def _exact(left: _Blocks, right: _Blocks, row: int, column: int) -> float:
    length = left.block[1]
    total = Fraction(0)
    for part in range(left.exponents.shape[1]):
        e = int(left.exponents[row // left.block[0], part] + right.exponents[part, column // right.block[1]])
        if e < NOTHING // 2:
            a = left.codes[row, part * length : (part + 1) * length].astype(np.int64)
            b = right.codes[part * length : (part + 1) * length, column].astype(np.int64)
            total += int(a @ b) * Fraction(2) ** e
    return float(total)


@kernel
def _products(begin, end, a, b, e, f, sizes, out, wide):
    tall, length, broad = sizes[0], sizes[1], sizes[2]
    terms = a.shape[1]
    parts = e.shape[1]
    # two codes of 16 bits and the sum of K products of them
    product_bits = 30
    while (1 << (product_bits - 30)) < terms:
        product_bits += 1
    for m in range(begin, end):
        es = e[m // tall]
        for n in range(b.shape[0]):
            finest, coarsest = NOTHING, -NOTHING
            for part in range(parts):
                place = es[part] + f[part, n // broad]
                if place < NOTHING // 2:
                    finest, coarsest = min(finest, place), max(coarsest, place)
            if coarsest < finest:
                continue
            if coarsest - finest + product_bits > FRAME_BITS:
                wide[m, n] = True
                continue
            total = np.int64(0)
            for part in range(parts):
                place = es[part] + f[part, n // broad]
                if place < NOTHING // 2:
                    xs = a[m, part * length : min((part + 1) * length, terms)]
                    ys = b[n, part * length : min((part + 1) * length, terms)]
                    inner = np.int64(0)
                    for k in range(xs.size):
                        inner += np.int64(xs[k]) * np.int64(ys[k])
                    total += inner << (place - finest)
            out[m, n] = np.ldexp(np.float64(total), finest)
