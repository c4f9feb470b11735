"""Weight gradients that idle threads finish are those that are computed at once."""

import numpy as np
import pytest

from fxpsim.kernels import mac
from fxpsim.kernels.mac import MacSpec

SHAPES = [  # of images and kernels, stride, groups
    ((2, 9, 9, 16), (3, 3, 16, 16), 1, 1),
    ((3, 8, 8, 3), (3, 3, 1, 6), 2, 3),
    ((1, 5, 5, 4), (1, 1, 4, 40), 1, 1),
]
SPECS = {
    "wraps": MacSpec(),
    "wraps a short word": MacSpec(word_bits=12),
    "saturates": MacSpec(word_bits=16, overflow="saturate"),
    "rounds": MacSpec(product_shift=3, rounding="half_even"),
    "wide": MacSpec(word_bits=48),
}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
@pytest.mark.parametrize(("x_shape", "w_shape", "stride", "groups"), SHAPES)
def test_unfinished_results_become_those_of_a_call_that_waits(members, name, dtype, x_shape, w_shape, stride, groups):
    rng = np.random.default_rng(0)
    bits = 20 if dtype is np.int32 else np.iinfo(dtype).bits
    low, high = -(1 << (bits - 1)), 1 << (bits - 1)
    x = rng.integers(low, high, x_shape).astype(dtype)
    out = [(x_shape[i] + 2 - w_shape[i - 1]) // stride + 1 for i in (1, 2)]
    e = rng.integers(low, high, (x_shape[0], *out, w_shape[3])).astype(dtype)
    options = {"kernel_shape": w_shape, "stride": stride, "padding": 1, "groups": groups}
    bounds = {"x_bound": -low, "e_bound": -low}
    at_once = mac.conv2d_weight_grad(x, e, SPECS[name], **options, **bounds)
    waiting = [mac.conv2d_weight_grad(x, e, SPECS[name], **options, **bounds, later=True) for _ in range(40)]
    for result in waiting:
        done = result.finished()
        assert done.unfinished is None
        assert (done.codes == at_once.codes).all()
        notes = (done.overflowed, done.max_abs, done.products, done.flushed, done.inexact)
        assert notes == (at_once.overflowed, at_once.max_abs, at_once.products, at_once.flushed, at_once.inexact)
        assert at_once.finished() is at_once
