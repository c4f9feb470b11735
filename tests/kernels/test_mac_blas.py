"""The reference path by BLAS against every lane, and what it refuses."""

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.kernels.mac import MacSpec, blas
from fxpsim.numerics import Overflow

random = np.random.default_rng(8)


def operands(bits_a: int, bits_b: int, *shapes: tuple[int, ...]) -> tuple[list[np.ndarray], dict[str, int]]:
    arrays = []
    for bits, shape in zip((bits_a, bits_b), shapes, strict=True):
        low, high = -(1 << (bits - 1)), 1 << (bits - 1)
        arrays.append(
            random.integers(low, high, shape).astype(np.int8 if bits <= 8 else np.int16 if bits <= 16 else np.int32)
        )
    return arrays, {"a": 1 << (bits_a - 1), "b": 1 << (bits_b - 1)}


@pytest.fixture
def choose(monkeypatch):
    """Set the variable, which a process reads once."""

    def choose(path):
        monkeypatch.setenv("FXPSIM_MAC", path)
        blas.wanted.cache_clear()

    yield choose
    monkeypatch.undo()
    blas.wanted.cache_clear()


@pytest.mark.parametrize(("bits_a", "bits_b"), [(8, 8), (8, 16), (16, 16), (24, 16)])
@pytest.mark.parametrize(
    "spec", [MacSpec(), MacSpec(word_bits=20), MacSpec(word_bits=48), MacSpec(word_bits=64, overflow="saturate")]
)
def test_products_are_those_of_the_lanes(bits_a, bits_b, spec, choose):
    (a, b), bounds = operands(bits_a, bits_b, (17, 700), (700, 9))
    lanes = mac.matmul(a, b, spec, a_bound=bounds["a"], b_bound=bounds["b"])
    choose("blas")
    reference = mac.matmul(a, b, spec, a_bound=bounds["a"], b_bound=bounds["b"])
    np.testing.assert_array_equal(lanes.codes, reference.codes)
    assert (lanes.overflowed, lanes.max_abs) == (reference.overflowed, reference.max_abs)


@pytest.mark.parametrize(
    "geometry", [{"stride": 2, "padding": 1}, {"padding": 2, "dilation": 2}, {"padding": 1, "groups": 2}]
)
def test_convolutions_are_those_of_the_lanes(geometry, choose):
    groups = geometry.get("groups", 1)
    (x, w), _ = operands(8, 8, (3, 9, 8, 4), (3, 3, 4 // groups, 6))
    window = {"stride": 1, "dilation": 1, "groups": 1} | geometry
    bounds = {"x_bound": 128, "w_bound": 128}
    results = []
    for choice in ("lanes", "blas"):
        choose(choice)
        y = mac.conv2d(x, w, MacSpec(), **window, **bounds)
        e = (y.codes % 251 - 125).astype(np.int8)
        to_x = mac.conv2d_input_grad(e, w, MacSpec(), input_shape=x.shape, **window, e_bound=128, w_bound=128)
        to_w = mac.conv2d_weight_grad(x, e, MacSpec(), kernel_shape=w.shape, **window, x_bound=128, e_bound=128)
        results.append([r.codes for r in (y, to_x, to_w)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_is_really_used(monkeypatch, choose):
    calls = []
    real = blas.exact_sums
    monkeypatch.setattr(blas, "exact_sums", lambda *arguments: calls.append(1) or real(*arguments))
    (a, b), _ = operands(8, 8, (4, 30), (30, 5))
    mac.matmul(a, b, MacSpec(), a_bound=128, b_bound=128)
    assert not calls
    choose("blas")
    mac.matmul(a, b, MacSpec(), a_bound=128, b_bound=128)
    assert calls


def test_worst_case_codes_stay_exact(choose):
    choose("blas")
    a, b = np.full((2, 5000), -128, np.int8), np.full((5000, 3), -128, np.int8)
    assert (mac.matmul(a, b, MacSpec(), a_bound=128, b_bound=128).codes == 5000 * 128 * 128).all()
    a, b = np.full((2, 3000), -(2**31), np.int32), np.full((3000, 3), 2**15 - 1, np.int16)
    exact = 3000 * -(2**31) * (2**15 - 1)
    result = mac.matmul(a, b, MacSpec(word_bits=64), a_bound=2**31, b_bound=2**15)
    assert (result.codes == exact).all()


def test_accumulators_whose_order_counts_are_left_to_the_lanes(choose):
    (a, b), _ = operands(8, 8, (6, 400), (400, 5))
    spec = MacSpec(word_bits=16, overflow=Overflow.SATURATE)
    expected = mac.matmul(a, b, spec, a_bound=128, b_bound=128)
    choose("blas")
    np.testing.assert_array_equal(mac.matmul(a, b, spec, a_bound=128, b_bound=128).codes, expected.codes)


def test_an_unknown_choice(choose):
    choose("gpu")
    with pytest.raises(UserError, match="FXPSIM_MAC"):
        blas.wanted()
