"""Cutting out and putting back, against NumPy's own indexing."""

import numpy as np
import pytest

from fxpsim.kernels import moves

CASES = [
    ((3, 5, 4, 6), (slice(None), slice(None, None, 2), slice(1, 4, 2), slice(None))),
    ((4, 3, 3, 2), (slice(1, 4, 2), slice(2, 3), slice(None), slice(1, 2))),
    ((3, 2, 2, 5), (slice(None, None, -1), slice(None), slice(None), slice(None, None, -2))),
    ((4, 6), (slice(1, 3), slice(None, None, 3))),
]


@pytest.mark.parametrize(("shape", "index"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_take_and_put_are_numpys(shape, index, dtype):
    a = np.random.default_rng(1).integers(-99, 99, shape).astype(dtype)
    part = moves.take(a, index)
    np.testing.assert_array_equal(part, a[index])
    assert part.dtype == dtype
    assert part.flags.c_contiguous
    expected = np.zeros(shape, dtype)
    expected[index] = part
    found = moves.put(part, index, shape)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == dtype
