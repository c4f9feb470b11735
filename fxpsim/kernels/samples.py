"""What policies ask of a tensor as a whole: exact integer sums, in one pass each."""

import numpy as np

from fxpsim.kernels.jit import kernel
from fxpsim.kernels.threads import parallel_for

CHUNK = 1 << 16  # elements per work unit; sums of integers below 2**44 stay in 64 bits


@kernel
def _as_integers(begin, end, values, scale, out):
    """Write ``values * scale``, to the nearest integer, ties to even."""
    for unit in range(begin, end):
        source, target = values[unit * 65536 : (unit + 1) * 65536], out[unit * 65536 : (unit + 1) * 65536]
        for i in range(target.size):
            target[i] = np.int64(np.rint(np.float64(source[i]) * scale))


@kernel
def _sums(begin, end, codes, shift, sums):
    """Add the magnitudes of a chunk, those of its codes without some bits, and what rounding these away changed."""
    half = (np.int64(1) << shift) >> 1
    for unit in range(begin, end):
        part = codes[unit * 65536 : (unit + 1) * 65536]
        whole, kept, lost = np.int64(0), np.int64(0), np.int64(0)
        for i in range(part.size):
            x = part[i]
            low = x >> shift
            rest = x - (low << shift)
            rounded = low + np.int64((rest > half) | ((rest == half) & (low & 1 == 1) & (half > 0)))
            whole += abs(x)
            kept += abs(rounded)
            lost += abs(x - (rounded << shift))
        sums[unit, 0], sums[unit, 1], sums[unit, 2] = whole, kept, lost


def as_integers(values: np.ndarray, frac_bits: int) -> np.ndarray:
    """Return binary32 numbers times ``2**frac_bits``, rounded to nearest even, as int64.

    Parameters
    ----------
    values : ndarray of float32, flat and contiguous
        Below ``2**(62 - frac_bits)``.
    frac_bits : int
        At least -128.

    Examples
    --------
    >>> as_integers(np.array([0.5, -0.75], np.float32), 1).tolist()
    [1, -2]
    """
    out = np.empty(values.size, np.int64)
    parallel_for(_as_integers, -(-values.size // CHUNK), values, 2.0**frac_bits, out)
    return out


def rounding_sums(codes: np.ndarray, shift: int) -> tuple[int, int, int]:
    r"""Return :math:`\sum|x|`, :math:`\sum|r|` and :math:`\sum|x - 2^s r|` for r = x / 2**s to nearest even, exactly.

    Parameters
    ----------
    codes : ndarray of int64, flat and contiguous
        Below ``2**44``.
    shift : int
        s, 0 to 61.

    Examples
    --------
    >>> rounding_sums(np.array([3, -5, 6]), 2)  # 1, -1, 2
    (14, 4, 4)
    """
    sums = np.empty((-(-codes.size // CHUNK), 3), np.int64)
    parallel_for(_sums, len(sums), codes, shift, sums)
    whole, kept, lost = (sum(map(int, column)) for column in sums.T)
    return whole, kept, lost
