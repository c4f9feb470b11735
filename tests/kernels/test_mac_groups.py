"""Weight gradients of narrow groups, several at once, against group after group."""

import numpy as np
import pytest

from fxpsim.kernels import mac
from fxpsim.kernels.mac import MacSpec, dispatch
from fxpsim.numerics import Overflow

SPECS = [
    (MacSpec(), True),
    (MacSpec(word_bits=48), True),
    (MacSpec(word_bits=30, overflow=Overflow.SATURATE), True),
    (MacSpec(word_bits=14), False),  # some sums wrap
    (MacSpec(word_bits=14, overflow=Overflow.SATURATE), False),
]


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
@pytest.mark.parametrize(("channels", "outputs", "groups"), [(12, 12, 12), (8, 16, 8), (24, 12, 6), (4, 40, 2)])
@pytest.mark.parametrize(("spec", "fits"), SPECS)
def test_several_groups_at_once(dtype, channels, outputs, groups, spec, fits, monkeypatch):
    random = np.random.default_rng(groups)
    x = random.integers(-100, 100, (3, 7, 6, channels)).astype(dtype)
    e = random.integers(-100, 100, (3, 4, 3, outputs)).astype(dtype)
    window = {"stride": 2, "padding": 1, "groups": groups}
    shape = (3, 3, channels // groups, outputs)

    def run() -> mac.MacResult:
        return mac.conv2d_weight_grad(x, e, spec, **window, kernel_shape=shape, x_bound=100, e_bound=100)

    taken, lane = [], dispatch._gathered
    monkeypatch.setattr(dispatch, "_gathered", lambda *a: taken.append(lane(*a)) or taken[-1])
    found = run()
    assert (taken[0] is not None) == (fits and outputs // groups <= 8)
    monkeypatch.setattr(dispatch, "_gathered", lambda *a: None)
    one_by_one = run()
    np.testing.assert_array_equal(found.codes, one_by_one.codes)
    assert (found.overflowed, found.max_abs) == (one_by_one.overflowed, one_by_one.max_abs)
    assert fits or found.overflowed > 0
