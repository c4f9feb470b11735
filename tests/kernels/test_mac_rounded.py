"""The lane of rounded products against the specification and against the stepwise kernel."""

from fractions import Fraction

import numpy as np
import pytest
from mac_oracle import run as oracle

from fxpsim.kernels import mac
from fxpsim.kernels.lanes import cpu
from fxpsim.kernels.mac import MacSpec, dispatch, rounded
from fxpsim.kernels.mac.bounds import Bounds
from fxpsim.kernels.mac.packing import pack
from fxpsim.kernels.mac.spec import ORDERS
from fxpsim.kernels.mac.tables import single
from fxpsim.kernels.mac.task import matmul_task
from fxpsim.kernels.mac.tile import NEAREST
from fxpsim.numerics import Rounding
from fxpsim.numerics import oracle as numbers

MODES = [mode for mode in Rounding if not mode.is_stochastic]
OVERFLOWS = ["wrap", "saturate", "saturate_symmetric"]
COLUMNS = 20  # of most results: one shape of tiles, so that fewer kernels are compiled
SIXTEEN = {"a_bound": 32768, "b_bound": 32768}


@pytest.fixture
def only_the_lane(monkeypatch):
    """Make the stepwise kernel fail."""

    def refuse(*_args):
        raise AssertionError("the stepwise kernel was asked")

    monkeypatch.setattr(dispatch, "_stepwise", refuse)


def codes(rng: np.random.Generator, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """Codes of all sizes, extremes among them."""
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True) >> rng.integers(0, info.bits, shape)
    extremes = rng.choice(np.array([info.min, info.max, 0, 1], dtype), shape)
    return np.where(rng.random(shape) < 0.3, extremes, values).astype(dtype)


@pytest.mark.usefixtures("only_the_lane")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shift", [1, 2, 5, 22, 30])
def test_every_product_of_a_range(mode, shift):
    """The products -2^9 ... 2^9, times what lets them reach the dropped bits."""
    a = np.arange(-512, 513, dtype=np.int16)[:, None]
    b = np.resize(np.array([1, -(1 << max(0, shift - 15)), 1 << max(0, shift - 16)], np.int16), (1, COLUMNS))
    spec = MacSpec(word_bits=20, product_shift=shift, rounding=mode)
    result = mac.matmul(a, b, spec, **SIXTEEN)
    expected = [
        [numbers.round_fraction(Fraction(int(x) * int(y), 1 << shift), mode, 0) for y in b[0, :3]] for x in a[:, 0]
    ]
    np.testing.assert_array_equal(result.codes[:, :3], expected)
    assert result.overflowed == 0


@pytest.mark.usefixtures("only_the_lane")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_against_the_specification(mode, overflow):
    rng = np.random.default_rng(6)
    a, b = codes(rng, np.int16, (7, 37)), codes(rng, np.int16, (37, COLUMNS))
    for bits, shift in ((18, 14), (25, 8)):
        spec = MacSpec(word_bits=bits, overflow=overflow, product_shift=shift, rounding=mode)
        result = mac.matmul(a, b, spec, **SIXTEEN)
        expected, outside, max_abs = oracle("matmul", a, b, (7, COLUMNS), None, spec)
        np.testing.assert_array_equal(result.codes, expected)
        assert (result.overflowed, result.max_abs) == (outside, max_abs)


def both(a: np.ndarray, b: np.ndarray, spec: MacSpec, a_bound: int, b_bound: int) -> bool:
    """Compare the lane with the stepwise kernel; return whether the lane took the task."""
    task = matmul_task(a, b, False, False)
    bounds = Bounds(a=a_bound, b=b_bound, k=task.k, nonnegative=a.dtype.kind == b.dtype.kind == "u")
    found, wanted = np.empty(task.shape, spec.dtype), np.empty(task.shape, spec.dtype)
    notes = rounded.rounded(task, spec, bounds, found)
    if notes is None:
        return False
    expected = dispatch._stepwise(task, spec, wanted)
    np.testing.assert_array_equal(found, wanted)
    assert notes == expected[:2]
    return True


CASES = [(mode, overflow, "sequential") for mode in MODES for overflow in ("wrap", "saturate")]
CASES += [
    (mode, overflow, "chunked") for mode in (Rounding.HALF_EVEN, Rounding.JAM) for overflow in ("wrap", "saturate")
]
CASES += [
    (Rounding.HALF_EVEN, overflow, order) for overflow in ("saturate_symmetric", "saturate_zero") for order in ORDERS
]


@pytest.mark.parametrize(("mode", "overflow", "order"), CASES)
def test_against_the_stepwise_kernel(mode, overflow, order):
    """Rare and frequent overflow, several tiles, panels and segments."""
    rng = np.random.default_rng(8)
    a, b = codes(rng, np.int16, (33, 700)), codes(rng, np.int16, (700, 53))
    for bits, shift in ((16, 12), (22, 10), (30, 5), (31, 5)):
        spec = MacSpec(
            word_bits=bits, overflow=overflow, product_shift=shift, rounding=mode, order=order, chunk=7 + bits
        )
        assert both(a, b, spec, 32768, 32768) or (order == "chunked" and shift == 5)


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("types", [(np.uint8, np.uint8), (np.uint16, np.int8), (np.int8, np.uint16)], ids=str)
def test_unsigned_operands_and_accumulators(overflow, types):
    rng = np.random.default_rng(9)
    a, b = codes(rng, types[0], (9, 90)), codes(rng, types[1], (90, COLUMNS))
    sizes = [max(int(np.iinfo(t).max), -int(np.iinfo(t).min)) for t in types]
    for signed in (True, False):
        for bits in (14, 29):
            spec = MacSpec(word_bits=bits, signed=signed, overflow=overflow, product_shift=4, rounding="half_even")
            assert both(a, b, spec, *sizes)


@pytest.mark.parametrize("mode", [Rounding.HALF_EVEN, Rounding.HALF_AWAY, Rounding.HALF_ODD, Rounding.JAM_UNBIASED])
@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_the_widest_product(mode, overflow):
    """|p| + 2^s = 2^31: one more would not fit."""
    a, b = np.full((3, 12), 65535, np.uint16), np.full((12, COLUMNS), -32768, np.int16)
    a[1], b[::2] = 0, 32767
    spec = MacSpec(word_bits=20, overflow=overflow, product_shift=15, rounding=mode)
    assert both(a, b, spec, 65535, 32768)
    # but a fused multiply-add does not mind
    fused = mode is Rounding.HALF_EVEN and cpu().fma
    assert both(a, b, MacSpec(word_bits=20, product_shift=16, rounding=mode), 65535, 32768) == fused


@pytest.mark.parametrize("bits", [31, 32, 33, 48, 64])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(
    ("value", "rounding", "shift"), [(32767, "half_away", 2), (-32768, "half_away", 2), (-32768, "half_even", 8)]
)
def test_long_sums_are_flushed(bits, signed, value, rounding, shift):
    if bits == 64 and not signed:
        return
    a, b = np.full((2, 5000), -32768, np.int16), np.full((5000, COLUMNS), value, np.int16)
    b[:, 1] = -1
    spec = MacSpec(word_bits=bits, signed=signed, product_shift=shift, rounding=rounding)
    assert both(a, b, spec, 32768, 32768)


def test_an_odd_number_of_products_is_filled_up_with_zeros():
    """Whatever lies before b in memory: here the largest codes."""
    memory = np.full((76, 64), 32767, np.float32)
    a, b = np.full((3, 75), 50, np.int16), np.full((75, 64), 700, np.int16)
    memory[1:] = b
    grouping = single(matmul_task(a, b, False, False).contraction, 1, even=True)
    packed = pack(memory[1:], grouping, NEAREST, 1)
    assert packed.data.size == 76 * 64
    assert packed.data.sum() == 75 * 64 * 700


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
def test_jam_does_not_count_columns_that_fill_a_panel(overflow):
    a, b = np.zeros((3, 300), np.int16), np.zeros((300, 3), np.int16)
    spec = MacSpec(word_bits=8, overflow=overflow, product_shift=4, rounding="jam")
    result = mac.matmul(a, b, spec, **SIXTEEN)
    expected, outside, _ = oracle("matmul", a, b, (3, 3), None, spec)
    np.testing.assert_array_equal(result.codes, expected)
    assert result.overflowed == outside


def test_what_is_left_to_the_stepwise_kernel():
    a = b = np.ones((2, 2), np.int16)
    for spec in (
        MacSpec(product_shift=8, rounding="stochastic"),
        MacSpec(product_shift=31),
        MacSpec(product_shift=-1),
        MacSpec(word_bits=9, product_shift=2, overflow="wrap_sign_magnitude"),
        MacSpec(word_bits=32, product_shift=2, overflow="saturate", order="chunked", chunk=1 << 20),
    ):
        ranges = (32768, 32768) if spec.word_bits == 32 else (100, 100)
        a, b = (np.full(shape, size - 1, np.int16) for shape, size in zip(((1, 50), (50, 1)), ranges, strict=True))
        assert not both(a, b, spec, *ranges)
