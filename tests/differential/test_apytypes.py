"""Against apytypes where it is right; its known defects are listed, and checked to be still there.

apytypes has signed formats only, counts the sign among ``int_bits``, and casts between fixed-point formats.
"""

import numpy as np
import pytest

import fxpsim as fx
from fxpsim.array import multiply

apytypes = pytest.importorskip("apytypes")
from apytypes import APyFixedAccumulatorContext, APyFixedArray, OverflowMode, QuantizationMode  # noqa: E402

ROUNDINGS = {
    "floor": "TO_NEG",
    "ceil": "TO_POS",
    "toward_zero": "TO_ZERO",
    "away_from_zero": "TO_AWAY",
    "half_up": "TIES_POS",
    "half_down": "TIES_NEG",
    "half_toward_zero": "TIES_ZERO",
    "half_away": "TIES_AWAY",
    "half_even": "TIES_EVEN",
    "half_odd": "TIES_ODD",
    "jam": "JAM",
    "jam_unbiased": "JAM_UNBIASED",
}
OVERFLOWS = {"saturate": "SAT", "wrap": "WRAP"}
RNG = np.random.default_rng(0)


def theirs(q):
    fmt = q.format
    codes = np.asarray(q.codes, dtype=np.int64)
    return APyFixedArray(codes.tolist(), int_bits=fmt.word_bits - fmt.frac_bits, frac_bits=fmt.frac_bits)


def codes_of(array, fmt):
    bits = np.array(array.to_bits(), dtype=np.int64)
    return np.where(bits > fmt.max_code, bits - (1 << fmt.word_bits), bits)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_casts(rounding):
    source = fx.QTensor(np.arange(-(2**11), 2**11), "s12f6")
    for word, frac in [(4, 0), (5, 3), (8, 4), (8, 6), (12, 8), (7, -1), (12, 1)]:
        fmt = fx.FixedFormat(word_bits=word, frac_bits=frac)
        for overflow, name in OVERFLOWS.items():
            want = theirs(source).cast(
                int_bits=word - frac,
                frac_bits=frac,
                quantization=QuantizationMode[ROUNDINGS[rounding]],
                overflow=OverflowMode[name],
            )
            got = fx.cast(source, fmt, rounding, overflow)
            np.testing.assert_array_equal(got.codes, codes_of(want, fmt), err_msg=f"{fmt} {overflow}")


@pytest.mark.parametrize(("a", "b"), [("s8f4", "s8f4"), ("s12f3", "s9f7"), ("s30f20", "s31f3"), ("s5f-2", "s6f9")])
def test_exact_arithmetic_and_its_growth(a, b):
    x, y = (
        fx.QTensor(RNG.integers(f.min_code, f.max_code, 200, endpoint=True), f)
        for f in map(fx.FixedFormat.parse, (a, b))
    )
    for got, want in [(x + y, theirs(x) + theirs(y)), (x - y, theirs(x) - theirs(y)), (x * y, theirs(x) * theirs(y))]:
        assert (got.format.word_bits, got.format.frac_bits) == (want.bits, want.frac_bits)
        np.testing.assert_array_equal(got.codes, codes_of(want, got.format))


def test_the_exact_matrix_product():
    x = fx.QTensor(RNG.integers(-(2**15), 2**15, (9, 33)), "s16f8")
    y = fx.QTensor(RNG.integers(-(2**15), 2**15, (33, 5)), "s16f8")
    want = theirs(x) @ theirs(y)
    got = x @ y
    assert (got.format.word_bits, got.format.frac_bits) == (want.bits, want.frac_bits)
    np.testing.assert_array_equal(got.codes, codes_of(want, got.format))


@pytest.mark.parametrize("rounding", ["floor", "half_even", "half_away"])
def test_accumulation_where_no_sum_overflows(rounding):
    x = fx.QTensor(RNG.integers(-100, 100, (4, 25)), "s16f8")
    y = fx.QTensor(RNG.integers(-100, 100, (25, 3)), "s16f8")
    mode = QuantizationMode[ROUNDINGS[rounding]]
    with APyFixedAccumulatorContext(int_bits=12, frac_bits=10, quantization=mode, overflow=OverflowMode.SAT):
        want = theirs(x) @ theirs(y)
    got = fx.matmul(x, y, fx.Accumulator(format="s22f10", rounding=rounding, overflow="saturate"))
    assert got.counts.saturated == 0
    np.testing.assert_array_equal(got.codes, codes_of(want, got.format))


def test_requantized_products():
    x = fx.QTensor(RNG.integers(-(2**15), 2**15, 500), "s16f8")
    y = fx.QTensor(RNG.integers(-(2**15), 2**15, 500), "s16f8")
    want = (theirs(x) * theirs(y)).cast(
        int_bits=8, frac_bits=8, quantization=QuantizationMode.TIES_EVEN, overflow=OverflowMode.SAT
    )
    np.testing.assert_array_equal(multiply(x, y, "s16f8", "half_even", "saturate").codes, codes_of(want, x.format))


class TestKnownDefects:
    """Where the two differ and apytypes is wrong (0.5.1). If one of these fails, apytypes has been repaired."""

    def test_the_running_sum_never_overflows(self):
        # known upstream: products are brought into range, their sum is not
        x, y = fx.QTensor([[7] * 8], "s4f0"), fx.QTensor([[7]] * 8, "s4f0")
        with APyFixedAccumulatorContext(int_bits=8, frac_bits=0, overflow=OverflowMode.SAT):
            wrong = theirs(x) @ theirs(y)
        assert float(wrong.to_numpy().item()) == 392
        assert fx.matmul(x, y, fx.Accumulator(format="s8f0", overflow="saturate")).value.item() == 127

    def test_saturation_is_lost_when_the_fraction_grows_past_64_bits(self):
        x = fx.QTensor([2**38], "s40f0")
        wrong = theirs(x).cast(int_bits=8, frac_bits=32, overflow=OverflowMode.SAT)
        assert float(wrong.to_numpy().item()) == 0.0
        assert fx.cast(x, "s40f32", "floor", "saturate").codes.item() == 2**39 - 1

    def test_floats_are_rounded_to_nearest_whatever_the_mode(self):
        # from_float has no mode; a cast afterwards rounds twice
        below = 0.5 - 2.0**-54
        wrong = APyFixedArray.from_float([below], int_bits=24, frac_bits=40).cast(
            int_bits=8, frac_bits=0, quantization=QuantizationMode.TIES_POS
        )
        assert float(wrong.to_numpy().item()) == 1.0
        assert fx.cast(below, "s8f0", "half_up").codes == 0
