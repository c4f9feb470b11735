"""Few columns, whose sums are spread over a register: against 64-bit sums."""

import numpy as np
import pytest

from fxpsim.kernels import mac
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac import MacSpec, dispatch

pytestmark = pytest.mark.skipif(not cpu().dot, reason="the lane needs dot products of bytes")
TYPES = {"u8": np.uint8, "s8": np.int8, "s16": np.int16, "u16": np.uint16}


@pytest.fixture
def chosen(monkeypatch):
    """Return a list of the lanes that were chosen."""
    names, choose = [], dispatch.quad_lane

    def listen(task, lane):
        names.append(choose(task, lane).name)
        return choose(task, lane)

    monkeypatch.setattr(dispatch, "quad_lane", listen)
    return names


def check(result: mac.MacResult, exact: np.ndarray, bits: int) -> None:
    low = -(1 << bits - 1)
    codes = ((exact - low) & ((1 << bits) - 1)) + low
    np.testing.assert_array_equal(result.codes, codes)
    assert result.overflowed == (codes != exact).sum()


def random_codes(random: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    info = np.iinfo(TYPES[kind])
    return random.integers(info.min, info.max, shape, TYPES[kind], endpoint=True)


@pytest.mark.parametrize(("left", "right"), [("u8", "s8"), ("s8", "s8"), ("s16", "s16"), ("u16", "s16"), ("u8", "s16")])
@pytest.mark.parametrize(("m", "k", "n"), [(1, 16, 2), (23, 63, 16), (13, 256, 11), (7, 1000, 16)])
def test_products(left, right, m, k, n, chosen):
    random = np.random.default_rng(k)
    a, b = random_codes(random, left, (m, k)), random_codes(random, right, (k, n))
    for bits in (20, 32, 48):
        result = mac.matmul(a, b, MacSpec(word_bits=bits), a_bound=65535, b_bound=32768)
        check(result, a.astype(np.int64) @ b.astype(np.int64), bits)
    assert set(chosen) == {"quad8" if left[1:] == right[1:] == "8" else "quad16"}


@pytest.mark.parametrize("k", [131_072, 150_000])
def test_long_sums_of_bytes_flush(k, chosen):
    a, b = np.full((3, k), -128, np.int8), np.full((k, 5), -128, np.int8)
    b[:, 1] = 127
    check(mac.matmul(a, b, MacSpec(), a_bound=128, b_bound=128), a.astype(np.int64) @ b.astype(np.int64), 32)
    assert chosen == ["quad8"]


@pytest.mark.parametrize("kind", ["s8", "s16"])
@pytest.mark.parametrize("window", [{"padding": 1}, {"padding": 1, "stride": 2}, {"groups": 8, "padding": 1}])
def test_convolutions_and_gradients(kind, window, monkeypatch, chosen):
    random = np.random.default_rng(3)
    x, w = random_codes(random, kind, (2, 16, 16, 16)), random_codes(random, kind, (3, 3, 16, 16))
    if "groups" in window:
        w = np.ascontiguousarray(w[:, :, :2])
    bound, spec = 1 << 8 * x.itemsize - 1, MacSpec()
    e = random_codes(random, kind, mac.conv2d(x, w, spec, **window, x_bound=bound, w_bound=bound).codes.shape)

    def everything() -> list:
        return [
            mac.conv2d(x, w, spec, **window, x_bound=bound, w_bound=bound),
            mac.conv2d_input_grad(e, w, spec, **window, input_shape=x.shape, e_bound=bound, w_bound=bound),
            mac.conv2d_weight_grad(x, e, spec, **window, kernel_shape=w.shape, x_bound=bound, e_bound=bound),
        ]

    found = everything()
    assert any(name.startswith("quad") for name in chosen)
    monkeypatch.setattr(dispatch, "exact_lane", lambda *arguments: None)
    for fast, slow in zip(found, everything(), strict=True):
        np.testing.assert_array_equal(fast.codes, slow.codes)
        assert (fast.overflowed, fast.max_abs) == (slow.overflowed, slow.max_abs)
