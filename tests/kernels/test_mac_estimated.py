"""16-bit products with an estimate beside the residue, against 64-bit sums: also where the estimate is worst."""

import numpy as np
import pytest

from fxpsim.kernels import mac
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac import MacSpec, dispatch

pytestmark = pytest.mark.skipif(not cpu().dot, reason="the lane needs dot products of bytes")


@pytest.fixture
def taken(monkeypatch):
    """Return a list with one entry for each task that the lane was offered: whether it took it."""
    answers = []
    lane = dispatch.estimated

    def listen(*arguments):
        found = lane(*arguments)
        answers.append(found is not None)
        return found

    monkeypatch.setattr(dispatch, "estimated", listen)
    return answers


def check(result: mac.MacResult, exact: np.ndarray, spec: MacSpec) -> None:
    mask = (1 << spec.word_bits) - 1 if spec.word_bits < 64 else -1
    codes = ((exact - spec.min_code) & mask) + spec.min_code
    np.testing.assert_array_equal(result.codes, codes)
    assert result.overflowed == (codes != exact).sum()
    assert result.max_abs == max(int(codes.max()), -int(codes.min()))


def words(random: np.random.Generator, dtype: type, shape: tuple[int, ...], sigma: float) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.clip(np.rint(random.standard_normal(shape) * sigma), info.min, info.max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16])
@pytest.mark.parametrize("k", [5, 64, 303, 576, 2000])
@pytest.mark.parametrize("transpose_a", [False, True])
def test_sums_of_any_width(dtype, k, transpose_a, taken):
    random, info = np.random.default_rng(k), np.iinfo(dtype)
    a, b = words(random, dtype, (21, k), 9000), words(random, np.int16, (k, 37), 6000)
    a[0], a[1], b[:, 0] = info.max, info.min, 16384
    stored = np.ascontiguousarray(a.T) if transpose_a else a
    for spec in (MacSpec(), MacSpec(word_bits=24), MacSpec(word_bits=48), MacSpec(word_bits=32, signed=False)):
        bound = int(max(info.max, -info.min))
        result = mac.matmul(stored, b, spec, a_bound=bound, b_bound=32768, transpose_a=transpose_a)
        check(result, a.astype(np.int64) @ b.astype(np.int64), spec)
    assert taken
    assert all(taken)


@pytest.mark.parametrize(("code", "most"), [(-128, 505), (384, 481), (127, 513), (-32640, 256), (32767, 170)])
@pytest.mark.parametrize("bits", [32, 64])
def test_the_worst_estimates_still_tell_the_sum(code, most, bits, taken):
    """All errors of one sign, as large as they get: bytes 0 or 255 of a, and what is farthest from bytes of b."""
    spec = MacSpec(word_bits=bits)
    for k in (most, most - 1):
        a = np.repeat(np.array([[0], [255], [65280], [65535], [33023], [32768]], np.uint16), k, axis=1)
        b = np.full((k, 3), code, np.int16)
        b[:, 1] = -code
        check(mac.matmul(a, b, spec, a_bound=65535, b_bound=32768), a.astype(np.int64) @ b.astype(np.int64), spec)
        signed = (a.astype(np.int64) - 32768).astype(np.int16)
        check(
            mac.matmul(signed, b, spec, a_bound=32768, b_bound=32768),
            signed.astype(np.int64) @ b.astype(np.int64),
            spec,
        )
    assert taken[0]
