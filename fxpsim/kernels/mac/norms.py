r"""Bounds of sums by Cauchy and Schwarz: ``|sum a b| <= sqrt(sum a^2) sqrt(sum b^2)``, and so for every prefix.

Tensors are seldom near their largest magnitude everywhere, so this is often far below ``max |a| * sum |b|``. A row of a
consists of pixels, as many as the kernel has taps, or of one channel of all pixels. Norms are summed in binary64, whose
rounding a millionth more makes up for.
"""

from math import isqrt

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.mac.task import Task
from fxpsim.kernels.threads import parallel_for

_ROWS = 1024
_MARGIN = 1.000001  # a sum of 2^32 squares is rounded by less than a millionth


@kernel
def _row_squares(begin, end, x, largest):
    """Find the largest sum of squares of a row; a unit is some rows."""
    for unit in range(begin, end):
        found = 0.0
        for i in range(unit * 1024, min((unit + 1) * 1024, x.shape[0])):
            total = 0.0
            for j in range(x.shape[1]):
                value = np.float64(x[i, j])
                total += value * value
            found = max(found, total)
        largest[unit] = found


@kernel
def _column_squares(begin, end, x, sums):
    """Add up the squares of every column; a unit is some rows."""
    for unit in range(begin, end):
        totals = sums[unit]
        totals[:] = 0
        for i in range(unit * 1024, min((unit + 1) * 1024, x.shape[0])):
            row = x[i]
            for j in range(row.size):
                value = np.float64(row[j])
                totals[j] += value * value


def _rows(x: np.ndarray) -> float:
    largest = np.zeros(-(-x.shape[0] // _ROWS))
    parallel_for(_row_squares, largest.size, x, largest)
    return float(largest.max())


def _columns(x: np.ndarray) -> float:
    sums = np.empty((-(-x.shape[0] // _ROWS), x.shape[1]))
    parallel_for(_column_squares, len(sums), x, sums)
    return float(sums.sum(axis=0).max())


def largest_sum(task: Task) -> int:
    """Return a bound of the magnitude of every sum of a task, and of its prefixes.

    Parameters
    ----------
    task : Task
        Codes of at most 32 bits.
    """
    pixels = task.a.reshape(-1, task.a.shape[-1])
    across = task.kind == "weight_grad" or (task.kind == "product" and task.transposed)
    g = task.geometry
    taps = 1 if task.kind == "product" else g.kernel_height * g.kernel_width if g else task.k
    a = _columns(pixels) if across else taps * _rows(pixels)
    b = max(_columns(part) for part in task.b)
    return isqrt(int(a * b * _MARGIN)) + 1
