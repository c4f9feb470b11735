"""Plain Python: the products of each output in order, then the specification's accumulator."""

from itertools import product

import numpy as np

from fxpsim.kernels.mac import MacSpec
from fxpsim.numerics import FixedFormat, oracle


def accumulate(products, spec: MacSpec, noise=()):
    """Fold (k, product) pairs; a k without a product still has its place in a chunk."""
    fmt = FixedFormat(word_bits=spec.word_bits, frac_bits=0, signed=spec.signed)
    total, updates_out = 0, 0
    exact = 0
    chunks: dict[int, int] = {}
    for k, value in products:
        chunks.setdefault(k // spec.step, 0)
        word = noise(k) if spec.rounding.is_stochastic else 0
        rounded = oracle.round_fraction(
            oracle.Fraction(value) / oracle.Fraction(2) ** spec.product_shift, spec.rounding, word
        )
        chunks[k // spec.step] += rounded
        exact += rounded
    for part in chunks.values():
        total += part
        overflow = oracle.Overflow.SATURATE if spec.overflow == "raise" else spec.overflow
        ranged = oracle.bring_into_range(total, fmt, overflow)
        updates_out += not spec.min_code <= total <= spec.max_code
        total = ranged
    if spec.overflow == "wrap":
        updates_out = int(not spec.min_code <= exact <= spec.max_code)
    return total, updates_out


def _window(n, h, w, geometry):
    (R, S), (sh, sw), ((t, _), (left, _)), (dh, dw) = geometry
    return [(r, s, h * sh + r * dh - t, w * sw + s * dw - left) for r, s in product(range(R), range(S))]


def pairs(kind, a, b, shape, window):
    """Yield for each output its index and its list of (k, product)."""
    a, b = a.astype(object), b.astype(object)
    stride, padding, dilation, groups = window
    for index in np.ndindex(*shape):
        found = []
        if kind == "matmul":
            m, n = index
            found = [(k, a[m, k] * b[k, n]) for k in range(a.shape[1])]
        elif kind == "forward":
            n, oh, ow, k = index
            R, S, cg, K = b.shape
            first = k // (K // groups) * cg
            for i, (r, s, c) in enumerate(product(range(R), range(S), range(cg))):
                y, x = (
                    oh * stride[0] + r * dilation[0] - padding[0][0],
                    ow * stride[1] + s * dilation[1] - padding[1][0],
                )
                if 0 <= y < a.shape[1] and 0 <= x < a.shape[2]:
                    found.append((i, a[n, y, x, first + c] * b[r, s, c, k]))
        elif kind == "input_grad":
            n, h, w, c = index
            R, S, cg, K = b.shape
            kg = K // groups
            group = c // cg
            for i, (r, s, k) in enumerate(product(range(R), range(S), range(kg))):
                y, ry = divmod(h + padding[0][0] - r * dilation[0], stride[0])
                x, rx = divmod(w + padding[1][0] - s * dilation[1], stride[1])
                if not ry and not rx and 0 <= y < a.shape[1] and 0 <= x < a.shape[2]:
                    found.append((i, a[n, y, x, group * kg + k] * b[r, s, c % cg, group * kg + k]))
        elif kind == "weight_grad":
            r, s, c, k = index
            N, OH, OW, K = b.shape
            first = k // (K // groups) * shape[2]
            for i, (n, oh, ow) in enumerate(product(range(N), range(OH), range(OW))):
                y, x = (
                    oh * stride[0] + r * dilation[0] - padding[0][0],
                    ow * stride[1] + s * dilation[1] - padding[1][0],
                )
                if 0 <= y < a.shape[1] and 0 <= x < a.shape[2]:
                    found.append((i, a[n, y, x, first + c] * b[n, oh, ow, k]))
        yield index, found


def run(kind, a, b, shape, window, spec):
    """Return (codes, overflowed, max_abs) of one operation."""
    codes = np.zeros(shape, object)
    overflowed = 0
    for index, found in pairs(kind, a, b, shape, window):
        codes[index], count = accumulate(found, spec)
        overflowed += count
    return codes.astype(np.int64), overflowed, int(np.abs(codes).max())
