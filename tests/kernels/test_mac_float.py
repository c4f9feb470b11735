"""The pinned order of the operations on floats: one fused multiply-add after the other."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim.kernels import mac


def fma(a: float, b: float, c: float, dtype: type) -> float:
    """Round the exact ``a * b + c`` once."""
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    if dtype is np.float64:
        return float(exact)  # correctly rounded by Python
    # to binary32 without rounding twice: odd rounding to binary64 first
    near = float(exact)
    if Fraction(near) != exact:
        toward = np.nextafter(near, np.inf if exact > near else -np.inf)
        odd = np.array([near, toward]).view(np.int64)
        near = float(near if odd[0] & 1 else toward)
    return float(np.float32(near))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_step_is_rounded_once_in_order(dtype):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 40)).astype(dtype), rng.standard_normal((40, 18)).astype(dtype)
    expected = np.zeros((3, 18), dtype)
    for i, j in np.ndindex(3, 18):
        total = 0.0
        for k in range(40):
            total = fma(a[i, k], b[k, j], total, dtype)
        expected[i, j] = total
    assert mac.matmul_float(a, b).tobytes() == expected.tobytes()
    transposed = mac.matmul_float(a.T.copy(), b.T.copy(), transpose_a=True, transpose_b=True)
    assert transposed.tobytes() == expected.tobytes()


@pytest.mark.parametrize("window", [{"padding": 1}, {"stride": 2, "padding": (0, 1)}, {"groups": 2, "dilation": 2}])
def test_convolution_and_its_gradients_are_adjoint(window):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 7, 6, 4))
    w = rng.standard_normal((3, 2, 4 // window.get("groups", 1), 6))
    y = mac.conv2d_float(x, w, **window)
    e = rng.standard_normal(y.shape)
    to_input = mac.conv2d_input_grad_float(e, w, input_shape=x.shape, **window)
    to_kernel = mac.conv2d_weight_grad_float(x, e, kernel_shape=w.shape, **window)
    np.testing.assert_allclose([np.vdot(x, to_input), np.vdot(w, to_kernel)], np.vdot(y, e), rtol=1e-12)


def test_convolution_is_the_sum_over_the_window():
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((2, 5, 6, 3)).astype(np.float32), rng.standard_normal((3, 3, 3, 20)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = sum(padded[:, r : r + 5, s : s + 6] @ w[r, s] for r in range(3) for s in range(3))
    np.testing.assert_allclose(mac.conv2d_float(x, w, padding=1), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("groups", "depth", "width"), [(20, 1, 1), (32, 1, 1), (12, 1, 2), (6, 3, 2), (2, 4, 24)])
def test_groups_that_are_computed_together_give_the_bits_of_each(groups, depth, width, dtype):
    rng = np.random.default_rng(groups)
    x = rng.standard_normal((2, 7, 6, groups * depth)).astype(dtype)
    w = rng.standard_normal((3, 3, depth, groups * width)).astype(dtype)
    window = {"stride": 2, "padding": 1}
    y = mac.conv2d_float(x, w, groups=groups, **window)
    e = rng.standard_normal(y.shape).astype(dtype)
    to_x = mac.conv2d_input_grad_float(e, w, input_shape=x.shape, groups=groups, **window)
    to_w = mac.conv2d_weight_grad_float(x, e, kernel_shape=w.shape, groups=groups, **window)
    for g in range(groups):
        inner, outer = slice(g * depth, (g + 1) * depth), slice(g * width, (g + 1) * width)
        own, kernel, error = (np.ascontiguousarray(part) for part in (x[..., inner], w[..., outer], e[..., outer]))
        np.testing.assert_array_equal(y[..., outer], mac.conv2d_float(own, kernel, **window))
        alone = mac.conv2d_input_grad_float(error, kernel, input_shape=own.shape, **window)
        np.testing.assert_array_equal(to_x[..., inner], alone)
        alone = mac.conv2d_weight_grad_float(own, error, kernel_shape=kernel.shape, **window)
        np.testing.assert_array_equal(to_w[..., outer], alone)
