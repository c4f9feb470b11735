"""Codes of up to 32 bits in accumulators of up to 64: exact integers in Python, and the stepwise kernel."""

import numpy as np
import pytest

from fxpsim.kernels import mac
from fxpsim.kernels.mac import MacSpec, dispatch, stepwise
from fxpsim.numerics import Overflow


@pytest.fixture
def no_stepwise(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("took the stepwise kernel")

    monkeypatch.setattr(stepwise, "accumulate", refuse)


def exactly(a: np.ndarray, b: np.ndarray, spec: MacSpec) -> tuple[list[list[int]], int]:
    sums = a.astype(object) @ b.astype(object)
    codes = (sums - spec.min_code) % (1 << spec.word_bits) + spec.min_code
    return codes.tolist(), int((codes != sums).sum())


@pytest.mark.parametrize("bits", [31, 32])
@pytest.mark.parametrize("k", [1, 37, 1100])
@pytest.mark.parametrize(
    "spec",
    [
        MacSpec(word_bits=64),
        MacSpec(word_bits=63, signed=False),
        MacSpec(word_bits=60),
        MacSpec(word_bits=40, order="chunked"),
    ],
)
def test_sums_that_wrap(bits, k, spec, no_stepwise):
    random, size = np.random.default_rng(bits), (1 << 30) - 1
    a = random.integers(-size, size, (9, k), dtype=np.int32, endpoint=True)
    b = random.integers(-size, size, (k, 21), dtype=np.int32, endpoint=True)
    a[0], a[1], b[:, 0], b[:, 1] = size, -size, size, -size
    if bits == 32:
        a, b = (a.astype(np.int64) * 2 + 1).astype(np.int32), b >> 1
    bound = 1 << 61 - bits
    if spec.step > 1:
        b, bound = b >> 4, bound >> 4
    result = mac.matmul(a, b, spec, a_bound=1 << bits - 1, b_bound=bound)
    codes, overflowed = exactly(a, b, spec)
    assert result.codes.tolist() == codes
    assert result.overflowed == overflowed


def test_saturation_takes_the_exact_sum_only_where_columns_allow(monkeypatch):
    random = np.random.default_rng(0)
    a = random.integers(-(1 << 29), 1 << 29, (9, 50), dtype=np.int32)
    b = random.integers(-(1 << 24), 1 << 24, (50, 21), dtype=np.int32)
    spec, bound = MacSpec(word_bits=60, overflow=Overflow.SATURATE), 1 << 29
    taken = []
    monkeypatch.setattr(dispatch, "_stepwise", lambda *arguments: taken.append(True) or (0, 0, 0))
    result = mac.matmul(a, b, spec, a_bound=bound, b_bound=bound)
    assert result.codes.tolist() == (a.astype(object) @ b.astype(object)).tolist()
    assert not taken
    mac.matmul(a, b << 4, spec, a_bound=bound, b_bound=bound)
    assert taken


def test_a_convolution_and_its_gradients(monkeypatch):
    random = np.random.default_rng(1)
    x = random.integers(0, 1 << 30, (3, 7, 6, 4), dtype=np.uint32)
    w = random.integers(-(1 << 29), 1 << 29, (3, 3, 2, 6), dtype=np.int32)
    e = random.integers(-(1 << 29), 1 << 29, (3, 4, 3, 6), dtype=np.int32)
    window = {"stride": 2, "padding": 1, "groups": 2}

    def everything() -> list:
        spec = MacSpec(word_bits=64)
        return [
            mac.conv2d(x, w, spec, **window, x_bound=1 << 30, w_bound=1 << 29),
            mac.conv2d_input_grad(e, w, spec, input_shape=x.shape, **window, e_bound=1 << 29, w_bound=1 << 29),
            mac.conv2d_weight_grad(x, e, spec, kernel_shape=w.shape, **window, x_bound=1 << 30, e_bound=1 << 29),
        ]

    found = everything()
    monkeypatch.setattr(dispatch, "exact_lane", lambda *arguments: None)
    for fast, slow in zip(found, everything(), strict=True):
        np.testing.assert_array_equal(fast.codes, slow.codes)
        assert (fast.overflowed, fast.max_abs) == (slow.overflowed, slow.max_abs)
