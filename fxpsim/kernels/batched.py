"""Many small matrix products in one call, as attention has them: exact sums that are proven to fit 32 bits."""

from __future__ import annotations

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.memory import empty
from fxpsim.kernels.threads import parallel_for

INT32_MAX = 2**31 - 1


def batched_matmul(
    a: np.ndarray, b: np.ndarray, *, transpose_a: bool = False, transpose_b: bool = False
) -> tuple[np.ndarray, int]:
    """Multiply ``a[i] @ b[i]`` for every i; no sum may leave 32 bits, which the caller has proven.

    Parameters
    ----------
    a : ndarray of codes, (G, M, K), or (G, K, M) if ``transpose_a``
    b : ndarray of codes, (G, K, N), or (G, N, K) if ``transpose_b``
    transpose_a, transpose_b : bool
        Whether the matrices are stored transposed.

    Returns
    -------
    codes : ndarray of int32, (G, M, N)
    largest : int
        Largest magnitude.

    Examples
    --------
    >>> codes, largest = batched_matmul(np.array([[[1, 2]]], np.int8), np.array([[[3], [-4]]], np.int8))
    >>> codes.tolist(), largest
    ([[[-5]]], 5)
    """
    count = len(a)
    k, m = a.shape[1:] if transpose_a else a.shape[:0:-1]
    n = b.shape[1 if transpose_b else 2]
    assert k == b.shape[2 if transpose_b else 1], f"{a.shape} times {b.shape}"
    out = empty((count, m, n), np.dtype(np.int32))
    largest = np.zeros(count, np.int64)
    sizes = np.array([m, k, n, transpose_a, transpose_b], np.int64)
    parallel_for(_multiply, count, sizes, np.ascontiguousarray(a), np.ascontiguousarray(b), out, largest)
    return out, int(largest.max())


@kernel
def _multiply(begin, end, sizes, a, b, out, largest):
    m, k, n = sizes[0], sizes[1], sizes[2]
    rows = np.empty((m, k), np.int32)
    lines = np.empty((k, n), np.int32)
    for g in range(begin, end):
        _spread(a[g], sizes[3], rows)
        _spread(b[g], sizes[4], lines)
        low, high = np.int32(0), np.int32(0)
        for i in range(m):
            sums = out[g, i]
            for j in range(sums.size):
                sums[j] = 0
            for p in range(k):
                factor = rows[i, p]
                line = lines[p]
                for j in range(line.size):
                    sums[j] = np.int32(sums[j] + factor * line[j])
            for j in range(sums.size):
                low, high = min(low, sums[j]), max(high, sums[j])
        largest[g] = max(-np.int64(low), np.int64(high))


@kernel
def _spread(codes, transposed, wide):
    """Copy a matrix into 32-bit words, upright."""
    for i in range(wide.shape[0]):
        line = wide[i]
        for j in range(line.size):
            line[j] = np.int32(codes[j, i] if transposed else codes[i, j])
