"""Codes of up to 32 bits in accumulators of up to 64: exact integers in Python, and the stepwise kernel."""

import numpy as np
import pytest

from fxpsim.kernels import mac
from fxpsim.kernels.mac import MacSpec, dispatch, stepwise
from fxpsim.kernels.mac.norms import largest_sum
from fxpsim.kernels.mac.task import forward_task, input_grad_task, matmul_task, weight_grad_task
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


@pytest.mark.parametrize("transpose_a", [False, True])
def test_norms_bound_products(transpose_a):
    random = np.random.default_rng(2)
    a = random.integers(-(1 << 20), 1 << 20, (30, 40), dtype=np.int32)
    b = random.integers(-(1 << 20), 1 << 20, (40, 9), dtype=np.int32)
    a[3], b[:, 2] = 1 << 28, 1 << 27  # parallel: their product is as large as norms allow
    stored = np.ascontiguousarray(a.T) if transpose_a else a
    bound = largest_sum(matmul_task(stored, b, transpose_a, False))
    sums = np.abs(a.astype(object) @ b.astype(object)).max()
    assert sums <= bound <= sums * 1.0001


@pytest.mark.parametrize("stride", [1, 2])
def test_norms_bound_convolutions(stride):
    random = np.random.default_rng(5)
    x = random.integers(0, 1 << 30, (2, 6, 6, 3), dtype=np.int32)
    w = random.integers(-(1 << 29), 1 << 29, (3, 3, 3, 4), dtype=np.int32)
    e = random.integers(-(1 << 29), 1 << 29, (2, 6 // stride, 6 // stride, 4), dtype=np.int32)
    window = {"stride": stride, "padding": 1}
    tasks = [
        forward_task(x, w, **window),
        input_grad_task(e, w, x.shape, **window),
        weight_grad_task(x, e, w.shape, **window),
    ]
    spec = MacSpec(word_bits=64)
    results = [
        mac.conv2d(x, w, spec, **window, x_bound=1 << 30, w_bound=1 << 29),
        mac.conv2d_input_grad(e, w, spec, **window, input_shape=x.shape, e_bound=1 << 29, w_bound=1 << 29),
        mac.conv2d_weight_grad(x, e, spec, **window, kernel_shape=w.shape, x_bound=1 << 30, e_bound=1 << 29),
    ]
    for task, result in zip(tasks, results, strict=True):
        assert result.max_abs <= largest_sum(task)


def test_saturation_takes_the_exact_sum_where_norms_allow(no_stepwise):
    """The largest code of a times a column is 2^59, the product of norms 2^56: that fits 58 bits, twice it not."""
    a, b = np.ones((4, 64), np.int32), np.full((64, 3), 1 << 24, np.int32)
    a[:, 5] = 1 << 29
    spec = MacSpec(word_bits=58, overflow=Overflow.SATURATE)
    result = mac.matmul(a, b, spec, a_bound=1 << 29, b_bound=1 << 30)
    assert result.codes.tolist() == (a.astype(object) @ b.astype(object)).tolist()
    with pytest.raises(AssertionError, match="stepwise"):
        mac.matmul(a, b * 2, spec, a_bound=1 << 29, b_bound=1 << 30)
