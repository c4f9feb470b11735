"""Casts where floats, registers and words end."""

from fractions import Fraction

import numpy as np
import pytest

import fxpsim as fx
from fxpsim.kernels.threads import set_threads, threads
from fxpsim.numerics import Overflow, Rounding, oracle

TRICKY = np.array(
    [
        *(s * v for s in (1.0, -1.0) for v in (0.0, 0.49999999999999994, 0.5, 1.5, 2.5, 7.999, 8.0, 127.5, 255.96875)),
        *(
            s * v
            for s in (1.0, -1.0)
            for v in (5e-324, 1e-300, 1e300, 1.7e308, 2.0**52 + 1, 2.0**53 - 1, 2.0**63, 2.0**64)
        ),
        *(s * v for s in (1.0, -1.0) for v in (2.0**990 * 3, 2.0**-1074 * 3, 2.0**-32, 0.03125, 0.1)),
    ]
)
FORMATS = ["s8f4", "u8f12", "s5f-2", "s31f5", "u32f10", "s33f0", "s52f20", "u53f3", "s63f0", "s64f0", "u64f0", "s64f70"]
FORMATS += ["s16f-990", "s16f1100", "s1f0", "u1f0"]


def noise(rounding, count):
    return fx.RandomBits(seed=5).words(count).tolist() if rounding.is_stochastic else [0] * count


@pytest.mark.parametrize("rounding", Rounding)
def test_tricky_floats_in_every_kind_of_format(rounding):
    random = fx.RandomBits(seed=5) if rounding.is_stochastic else None
    words = noise(rounding, TRICKY.size)
    for name in FORMATS:
        fmt = fx.FixedFormat.parse(name)
        for overflow, bits in [("saturate", 0), ("wrap", 0), ("wrap", 2), ("wrap_sign_magnitude", 0)]:
            if overflow == "wrap_sign_magnitude" and not fmt.signed:
                continue
            q = fx.cast(TRICKY, fmt, rounding, overflow, overflow_bits=bits, random=random)
            want = [
                oracle.cast(v, fmt, rounding, Overflow(overflow), overflow_bits=bits, noise=n)
                for v, n in zip(TRICKY.tolist(), words, strict=True)
            ]
            assert q.codes.tolist() == want, (name, overflow, bits)


WIDE = [0, 1, -1, 3, -3, 100, 127, -128, 2**31, -(2**31), 2**40 + 1, 2**62, -(2**62), 2**63 - 1, -(2**63)]


@pytest.mark.parametrize("rounding", Rounding)
def test_codes_of_64_bits_at_any_distance(rounding):
    random = fx.RandomBits(seed=5) if rounding.is_stochastic else None
    unsigned = [abs(c) * 2 + 1 for c in WIDE if c != -(2**63)] + [2**64 - 1]
    for codes, source in ((WIDE, "s64f0"), (unsigned, "u64f0")):
        words = noise(rounding, len(codes))
        x = fx.QTensor(np.array(codes, dtype=object), source)
        for shift in (-70, -63, -3, 0, 1, 5, 32, 61, 62, 63, 64, 65, 126, 127, 200):
            for target in ("s8", "u32", "s63", "s64", "u64"):
                fmt = fx.FixedFormat.parse(f"{target}f{-shift}")
                for overflow in ("saturate", "wrap"):
                    q = fx.cast(x, fmt, rounding, overflow, random=random)
                    want = [
                        oracle.cast(Fraction(c), fmt, rounding, Overflow(overflow), noise=n)
                        for c, n in zip(codes, words, strict=True)
                    ]
                    assert q.codes.tolist() == want, (source, fmt, overflow)


def test_exact_before_rounding():
    assert fx.cast(0.49999999999999994, "s8f0", "half_up").codes == 0
    assert fx.cast(-0.49999999999999994, "s8f0", "half_away").codes == 0
    # 2**53 + 1 is no float64: whole numbers do not pass through one
    assert fx.cast(2**53 + 1, "s64f0", "floor").codes == 2**53 + 1
    assert fx.cast(np.array([2**64 - 1], np.uint64), "u64f0", "floor").codes[0] == 2**64 - 1
    assert fx.cast(Fraction(1, 3), "s64f60", "floor").codes == 2**60 // 3
    assert fx.cast(np.array([2**100, -(2**100)], dtype=object), "s8f0").codes.tolist() == [127, -128]
    assert fx.cast(np.float16(0.0999755859375), "s16f15").codes == round(0.0999755859375 * 2**15)


def test_scalars_empty_and_strided_arrays():
    assert fx.cast(1.5, "s8f4").codes.shape == ()
    assert fx.cast([], "s8f4").shape == (0,)
    x = np.arange(24.0).reshape(4, 6)
    np.testing.assert_array_equal(fx.cast(x.T[::-1, ::2], "s8f0").value, x.T[::-1, ::2])
    np.testing.assert_array_equal(fx.cast(x.astype(">f8"), "s8f0").value, x)
    np.testing.assert_array_equal(fx.cast(np.array([True, False]), "u1f0").codes, [1, 0])


@pytest.mark.parametrize(("value", "overflow"), [(np.nan, "saturate"), (np.nan, "wrap"), (np.inf, "wrap")])
def test_no_numbers_are_refused(value, overflow):
    with pytest.raises(fx.UserError, match="NaN"):
        fx.cast([1.0, value], "s8f4", "floor", overflow)
    with pytest.raises(fx.UserError, match="NaN"):
        fx.cast([1.0, value], "s60f4", "floor", overflow)


def test_infinities_saturate():
    for fmt in ("s8f4", "u8f-3", "s64f0"):
        q = fx.cast([np.inf, -np.inf], fmt, "jam", "saturate")
        assert q.codes.tolist() == [q.format.max_code, q.format.min_code]
        assert q.counts.saturated == 2


def test_mistakes_name_the_remedy():
    with pytest.raises(fx.UserError, match="random=RandomBits"):
        fx.cast([1.0], "s8f4", "stochastic")
    with pytest.raises(fx.UserError, match="signed format"):
        fx.cast([1.0], "u8f4", "floor", "wrap_sign_magnitude")
    with pytest.raises(fx.UserError, match="overflow_bits"):
        fx.cast([1.0], "s8f4", "floor", "saturate", overflow_bits=2)
    with pytest.raises(fx.UserError, match="2 overflows among 3"):
        fx.cast([1.0, 9.0, -9.0], "s8f4", "floor", "raise")
    with pytest.raises(fx.UserError, match="cannot cast an array of complex128"):
        fx.cast([1j], "s8f4")
    assert fx.cast([1.0, 7.9], "s8f4", "floor", "raise").codes.tolist() == [16, 126]


def test_results_do_not_depend_on_threads():
    x = np.random.default_rng(1).standard_normal(50_000) * 20
    before = threads()
    try:
        runs = []
        for count in (1, 2, 5):
            set_threads(count)
            q = fx.cast(x, "s8f3", "stochastic", "saturate", random=fx.RandomBits(seed=3))
            runs.append((q.codes.tobytes(), q.counts))
    finally:
        set_threads(before)
    assert runs[0] == runs[1] == runs[2]
