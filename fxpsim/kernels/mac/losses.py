"""What rounding does to the products of a task: how many change, how many vanish. Exact, without a look at each.

Let s be the dropped bits and z(x) the trailing zeros of a code.

- A product is *exact* if and only if ``z(a) + z(b) >= s`` or it is zero. Codes are counted by their trailing zeros, for
  each k (:mod:`fxpsim.kernels.mac.census`); the pairs of each two classes are a product of two counts. ``jam`` keeps
  only odd codes: ``z(a) + z(b) = s``.
- A product is *flushed* if it is not zero and rounds to zero, which is so up to a limit T for either sign. The codes
  of a fall into groups that allow the same b: ``|b| <= T // |a|``. There are at most ``2 sqrt(T)`` groups; where that
  is too many, pairs are compared one by one, without multiplying.

Stochastic roundings flush by chance; their kernel counts while it rounds.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.mac.bounds import Bounds
from fxpsim.kernels.mac.census import Key, matches
from fxpsim.kernels.mac.frames import framed
from fxpsim.kernels.mac.spec import MacSpec
from fxpsim.kernels.mac.task import Task
from fxpsim.kernels.threads import parallel_for
from fxpsim.numerics import Rounding

_SIGNS = (Key.POSITIVE, Key.NEGATIVE)
_OVERHEAD = 64  # comparisons that take as long as the limits for one code of a


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Products that rounding set to zero, and products that it changed."""

    flushed: int
    inexact: int


NONE_LOST = Losses(flushed=0, inexact=0)


def losses(task: Task, spec: MacSpec, bounds: Bounds) -> Losses:
    """Count the products that a rounding changes; stochastic ones without ``flushed``.

    Parameters
    ----------
    task : Task
    spec : MacSpec
    bounds : Bounds
        Largest magnitudes of the operands.
    """
    if spec.rounding is Rounding.JAM:
        inexact = products(task) - (_odd(task, spec.product_shift, bounds) if spec.product_shift >= 0 else 0)
        return Losses(flushed=0, inexact=inexact)
    if spec.product_shift <= 0:
        return Losses(flushed=0, inexact=0)
    flushed = 0 if spec.rounding.is_stochastic else _flushed(task, spec, bounds)
    return Losses(flushed=flushed, inexact=_inexact(task, spec.product_shift, bounds))


def products(task: Task) -> int:
    """Return how many products a task makes: none in the padding."""
    return task.geometry.products if task.geometry else task.m * task.k * task.n


def flush_limits(rounding: Rounding, shift: int) -> tuple[int, int]:
    """Return the magnitudes up to which negative and positive products are rounded to zero.

    Examples
    --------
    >>> flush_limits(Rounding.HALF_EVEN, 8), flush_limits(Rounding.FLOOR, 8)
    ((128, 128), (0, 255))
    """
    half, whole = (1 << shift) >> 1, (1 << shift) - 1
    match rounding:
        case Rounding.FLOOR:
            return 0, whole
        case Rounding.CEIL:
            return whole, 0
        case Rounding.TOWARD_ZERO:
            return whole, whole
        case Rounding.HALF_UP:
            return half, half - 1
        case Rounding.HALF_DOWN:
            return half - 1, half
        case Rounding.HALF_TOWARD_ZERO | Rounding.HALF_EVEN:
            return half, half
        case Rounding.HALF_AWAY | Rounding.HALF_ODD:
            return half - 1, half - 1
        case _:  # away from zero, and those that set the last bit of what is inexact
            return 0, 0


@lru_cache(maxsize=256)
def _powers(last: int, bound: int) -> tuple[int, ...]:
    """Return 1, 2, 4 ... 2^last; the powers above all lowest bits are as good as the next one, and shorter."""
    return tuple(1 << min(zeros, max(1, bound).bit_length()) for zeros in range(last + 1))


def _inexact(task: Task, shift: int, bounds: Bounds) -> int:
    """Count the products with fewer than ``shift`` trailing zeros; zero has more."""
    powers = _powers(shift, bounds.b)
    a, b = (Key.LOWEST_BIT, _powers(shift, bounds.a)), (Key.LOWEST_BIT, (powers[0], *powers[:0:-1]))
    return sum(matches(task, group, a, b) for group in range(len(task.b)))


def _odd(task: Task, shift: int, bounds: Bounds) -> int:
    """Count the products with exactly ``shift`` trailing zeros."""
    return _inexact(task, shift + 1, bounds) - (_inexact(task, shift, bounds) if shift else 0)


def _flushed(task: Task, spec: MacSpec, bounds: Bounds) -> int:
    """Count the products that are rounded to zero, but are not zero."""
    negative, positive = flush_limits(spec.rounding, spec.product_shift)
    most = min(2 * isqrt(max(negative, positive)) + 1, bounds.a, bounds.b)
    if bounds.product > min(negative, positive) and most * (task.m + task.n) > task.m * task.n + _OVERHEAD * task.m:
        return _one_by_one(task, negative, positive, bounds)
    if negative == positive:
        return _within(task, positive, bounds, Key.MAGNITUDE, Key.MAGNITUDE)
    signs = [(a, b) for a in _SIGNS for b in _SIGNS]
    return sum(_within(task, positive if a is b else negative, bounds, a, b) for a, b in signs)


@lru_cache(maxsize=256)
def _groups(limit: int, a_bound: int, b_bound: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return where the groups of ``|a|`` begin (and the last one ends); 1 and the first ``|b|`` too large for each.

    Examples
    --------
    >>> _groups(10, 127, 127)
    ((1, 2, 3, 4, 6, 11), (1, 11, 6, 4, 3, 2))
    """
    begins, allowed = [1], []
    while begins[-1] <= min(limit, a_bound):
        allowed.append(min(limit // begins[-1], b_bound))
        begins.append(min(limit // allowed[-1], a_bound) + 1)
    return tuple(begins), (1, *(largest + 1 for largest in allowed))


def _within(task: Task, limit: int, bounds: Bounds, a_key: Key, b_key: Key) -> int:
    """Count the products of two signs that are not zero and at most ``limit`` in magnitude."""
    begins, too_large = _groups(limit, max(1, bounds.a), max(1, bounds.b))
    if len(begins) == 1:
        return 0
    return sum(matches(task, group, (a_key, begins), (b_key, too_large)) for group in range(len(task.b)))


@kernel
def _compared(begin, end, image, base, rows, cols, b, negative, positive, b_bound, counts):
    """Compare the codes of b with the limits that a code of a leaves them; a unit is a row."""
    for m in range(begin, end):
        total = np.int64(0)
        for k in range(cols.size):
            x = np.int64(image[base + rows[m] + cols[k]])
            if x == 0:
                continue
            size = abs(x)
            below, above = (negative, positive) if x > 0 else (positive, negative)
            low, high = b.dtype.type(-min(below // size, b_bound)), b.dtype.type(min(above // size, b_bound))
            line = b[k]
            for n in range(line.size):
                total += (line[n] >= low) & (line[n] <= high) & (line[n] != 0)
        counts[m] += total


def _one_by_one(task: Task, negative: int, positive: int, bounds: Bounds) -> int:
    """Count as in :func:`_within`, all signs at once, pair by pair."""
    dtype = np.int32 if max(bounds.a, bounds.b) < 1 << 31 else np.int64
    image = framed(task.a, task.contraction.frame, dtype, 0).reshape(-1)
    counts = np.zeros(task.m, np.int64)
    rows, cols, base = task.contraction.rows, task.contraction.cols, task.contraction.group_base
    for group, b in enumerate(task.b):
        codes = np.ascontiguousarray(b, dtype)
        limits = (negative, positive, bounds.b)
        parallel_for(_compared, task.m, image, group * base, rows, cols, codes, *limits, counts)
    return int(counts.sum())
