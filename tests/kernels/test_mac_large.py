"""The MAC array at worst-case codes and lengths, against sums in closed form and a vectorized oracle."""

import numpy as np
import pytest

from fxpsim.kernels import mac, threads
from fxpsim.kernels.mac import MacSpec, dispatch

ROUNDED = MacSpec(word_bits=15, overflow="saturate", product_shift=3, rounding="half_even")


def wrapped(value: int, bits: int) -> int:
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def constant(value: int, dtype: type, k: int, other: int, other_type: type, spec: MacSpec) -> mac.MacResult:
    """Multiply constant operands: every result is ``k * value * other``."""
    a, b = np.full((3, k), value, dtype), np.full((k, 13), other, other_type)
    return mac.matmul(a, b, spec, a_bound=abs(value), b_bound=abs(other))


CASES = [
    (255, np.uint8, -128, np.int8, 70_000),
    (-128, np.int8, -128, np.int8, 200_000),
    (-32768, np.int16, -32768, np.int16, 5_000),
    (-32768, np.int16, 32767, np.int16, 5_000),
    (255, np.uint8, -32768, np.int16, 20_000),
    (65535, np.uint16, -32768, np.int16, 5_000),
]


@pytest.mark.parametrize(("value", "dtype", "other", "other_type", "k"), CASES)
@pytest.mark.parametrize("bits", [32, 48])
def test_long_sums_flush_before_they_overflow(value, dtype, other, other_type, k, bits):
    exact = k * value * other
    result = constant(value, dtype, k, other, other_type, MacSpec(word_bits=bits))
    assert (result.codes == wrapped(exact, bits)).all()
    assert result.overflowed == (0 if abs(exact) < 1 << (bits - 1) else 3 * 13)
    assert result.max_abs == abs(wrapped(exact, bits))


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
@pytest.mark.parametrize(("k", "size"), [(256, 32767), (256, 32768), (4000, 1 << 11), (144, 1 << 12)])
def test_wide_codes_times_columns_of_a_measured_size(dtype, k, size):
    """Columns of up to 2^23 are summed without a flush, in 32 bits; the largest sums are the last that fit."""
    random, info = np.random.default_rng(k), np.iinfo(dtype)
    a = random.integers(info.min, info.max, (21, k), dtype, endpoint=True)
    a[0], a[1] = info.max, info.min
    b = random.integers(-size, size, (k, 37)).astype(np.int16)
    b[:, 0], b[:, 1] = -size, min(size, 32767)
    exact = a.astype(np.int64) @ b.astype(np.int64)
    result = mac.matmul(a, b, MacSpec(word_bits=32), a_bound=max(info.max, -info.min), b_bound=32768)
    assert (result.codes == exact.astype(np.int32)).all()
    assert result.overflowed == (exact.astype(np.int32) != exact).sum() > 0


def test_a_long_weight_gradient_flushes():
    x, e = np.full((32, 64, 64, 1), 255, np.uint8), np.full((32, 64, 64, 3), -128, np.int8)
    result = mac.conv2d_weight_grad(x, e, MacSpec(), kernel_shape=(3, 3, 1, 3), padding=1, x_bound=255, e_bound=128)
    lengths = np.multiply.outer([63, 64, 63], [63, 64, 63]) * 32
    exact = lengths * 255 * -128
    np.testing.assert_array_equal(result.codes[:, :, 0, 1], np.vectorize(wrapped)(exact, 32))
    assert result.overflowed == 3 * (exact < -(1 << 31)).sum() > 0


@pytest.mark.parametrize("transpose_a", [False, True])
def test_unsigned_words_take_the_integer_lane(transpose_a, monkeypatch):
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 1 << 16, (7, 300)), rng.integers(-(1 << 15), 1 << 15, (300, 20))
    a[0], a[1] = 65535, a[1] >> 1
    monkeypatch.setattr(dispatch, "FLOAT64", None)
    stored = np.ascontiguousarray(a.T if transpose_a else a, np.uint16)
    spec, bounds = MacSpec(word_bits=40), {"a_bound": 65535, "b_bound": 32768}
    result = mac.matmul(stored, b.astype(np.int16), spec, **bounds, transpose_a=transpose_a)
    np.testing.assert_array_equal(result.codes, a @ b)
    assert result.overflowed == 0


@pytest.mark.parametrize(("dtype", "other_type"), [(np.int8, np.int8), (np.int16, np.int16)])
def test_a_small_negative_sum_wraps_to_a_large_unsigned_code(dtype, other_type):
    result = constant(-3, dtype, 5, 7, other_type, MacSpec(word_bits=32, signed=False))
    assert (result.codes == (1 << 32) - 105).all()
    assert (result.overflowed, result.max_abs) == (3 * 13, (1 << 32) - 105)


@pytest.mark.parametrize("k", [131_071, 131_072, 131_073])
def test_the_last_product_that_fits(k):
    """131072 products of -128 and -128 are 2^31, one more than 32 bits hold."""
    result = constant(-128, np.int8, k, -128, np.int8, MacSpec(word_bits=32, overflow="saturate"))
    assert result.max_abs == min(k << 14, (1 << 31) - 1)
    assert result.overflowed == 3 * 13 * max(0, k - 131_071)


def stepwise(a: np.ndarray, b: np.ndarray, spec: MacSpec) -> tuple[np.ndarray, int]:
    """Saturate after every product or chunk, all results at once."""
    a, b = a.astype(np.int64), b.astype(np.int64)
    total, outside = np.zeros((a.shape[0], b.shape[1]), np.int64), 0
    for k in range(0, a.shape[1], spec.step):
        total = total + a[:, k : k + spec.step] @ b[k : k + spec.step]
        inside = np.clip(total, spec.min_code, spec.max_code)
        outside += int((inside != total).sum())
        total = np.where(inside == total, total, 0) if spec.overflow == "saturate_zero" else inside
    return total, outside


def operands(kind: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    if kind == "u8s8":
        a = np.clip(rng.normal(0, 60, (37, 300)), 0, 255).astype(np.uint8)
        return a, np.clip(rng.normal(0, 40, (300, 70)), -128, 127).astype(np.int8)
    if kind == "drift":  # sums that walk to a limit, stay there and come back
        a = np.full((13, 300), 100, np.int8)
        return a, np.repeat(np.array([[90], [-100], [100]], np.int8), 100, axis=0) * np.ones((1, 20), np.int8)
    scale = 127 if kind == "s8s8" else 3000
    a, b = (rng.integers(-scale, scale, shape).astype(np.int16) for shape in ((37, 300), (300, 70)))
    return (a.astype(np.int8), b.astype(np.int8)) if kind == "s8s8" else (a, b)


@pytest.mark.parametrize("kind", ["u8s8", "s8s8", "drift", "s16s16"])
@pytest.mark.parametrize("bits", [16, 18, 20, 22, 26, 30])
@pytest.mark.parametrize("overflow", ["saturate", "saturate_zero"])
def test_saturation_with_rare_and_frequent_overflow(kind, bits, overflow):
    a, b = operands(kind)
    spec = MacSpec(word_bits=bits, overflow=overflow)
    result = mac.matmul(a, b, spec, a_bound=np.iinfo(a.dtype).max, b_bound=np.iinfo(b.dtype).max + 1)
    codes, outside = stepwise(a, b, spec)
    np.testing.assert_array_equal(result.codes, codes)
    assert result.overflowed == outside


@pytest.mark.parametrize("chunk", [2, 7, 16, 64, 1000])
@pytest.mark.parametrize("kind", ["u8s8", "s16s16"])
def test_chunks(kind, chunk):
    a, b = operands(kind)
    spec = MacSpec(word_bits=15 if kind == "u8s8" else 24, overflow="saturate", order="chunked", chunk=chunk)
    result = mac.matmul(a, b, spec, a_bound=32767, b_bound=32768)
    codes, outside = stepwise(a, b, spec)
    np.testing.assert_array_equal(result.codes, codes)
    assert result.overflowed == outside > 0


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(count):
    rng = np.random.default_rng(4)
    x = rng.integers(0, 255, (9, 33, 31, 16), dtype=np.uint8)
    w = rng.integers(-128, 127, (3, 3, 16, 40), dtype=np.int8)
    e = rng.integers(-128, 127, (9, 33, 31, 40), dtype=np.int8)

    def everything() -> list:
        found = []
        for spec in (MacSpec(), MacSpec(word_bits=20, overflow="saturate"), ROUNDED):
            found.append(mac.conv2d(x, w, spec, padding=1, x_bound=255, w_bound=128))
            shapes = {"kernel_shape": w.shape, "padding": 1, "x_bound": 255, "e_bound": 128}
            found.append(mac.conv2d_weight_grad(x, e, spec, **shapes))
        floats = x.astype(np.float32), e.astype(np.float32)
        gradient = mac.conv2d_weight_grad_float(*floats, kernel_shape=w.shape, padding=1)
        return [*((r.codes.tobytes(), r.overflowed, r.max_abs) for r in found), gradient.tobytes()]

    before = threads.threads()
    threads.set_threads(3)
    expected = everything()
    try:
        threads.set_threads(count)
        assert everything() == expected
    finally:
        threads.set_threads(before)


@pytest.mark.parametrize("bits", [32, 48])
@pytest.mark.parametrize("channels", [16, 37])
@pytest.mark.parametrize("worst", [False, True])
def test_depthwise_convolutions_side_by_side(channels, worst, bits):
    """Many sums in binary32, flushed before they leave it; with worst codes every product is as large as can be."""
    rng = np.random.default_rng(channels)
    x = rng.integers(0, 256, (3, 24, 23, channels)).astype(np.uint8)
    w = rng.integers(-128, 128, (3, 3, 1, channels)).astype(np.int8)
    e = rng.integers(-128, 128, x.shape).astype(np.int8)
    if worst:
        x[...], w[...], e[...] = 255, -128, -128
    spec = mac.MacSpec(word_bits=bits, overflow="wrap")
    window = {"padding": 1, "groups": channels}
    y = mac.conv2d(x, w, spec, x_bound=255, w_bound=128, **window)
    to_x = mac.conv2d_input_grad(e, w, spec, input_shape=x.shape, e_bound=128, w_bound=128, **window)
    to_w = mac.conv2d_weight_grad(x, e, spec, kernel_shape=w.shape, x_bound=255, e_bound=128, **window)
    padded, errors = (np.pad(a.astype(np.int64), ((0, 0), (1, 1), (1, 1), (0, 0))) for a in (x, e))
    forward, back = np.zeros(x.shape, np.int64), np.zeros(x.shape, np.int64)
    kernel = np.zeros(w.shape, np.int64)
    for r, s in np.ndindex(3, 3):
        part = padded[:, r : r + 24, s : s + 23]
        forward += part * w[r, s, 0].astype(np.int64)
        back += errors[:, 2 - r : 26 - r, 2 - s : 25 - s] * w[r, s, 0].astype(np.int64)
        kernel[r, s, 0] = (part * e.astype(np.int64)).sum(axis=(0, 1, 2))
    for result, expected in ((y, forward), (to_x, back), (to_w, kernel)):
        np.testing.assert_array_equal(result.codes, expected)
        assert (result.overflowed, result.max_abs) == (0, np.abs(expected).max())
