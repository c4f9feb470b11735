"""The specification against tables written by hand: what IEEE 1666 and the manuals print."""

from fractions import Fraction
from itertools import pairwise

import pytest

from fxpsim import FixedFormat, Overflow, Rounding, UserError
from fxpsim.numerics import Flavor, oracle

QUARTERS = [Fraction(n, 4) for n in (-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7)]
TABLE = {
    "floor": [-2, -2, -2, -1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1],
    "ceil": [-1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2],
    "toward_zero": [-1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
    "away_from_zero": [-2, -2, -2, -1, -1, -1, -1, 0, 1, 1, 1, 1, 2, 2, 2],
    "half_up": [-2, -1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2],
    "half_down": [-2, -2, -1, -1, -1, -1, 0, 0, 0, 0, 1, 1, 1, 1, 2],
    "half_toward_zero": [-2, -1, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2],
    "half_away": [-2, -2, -1, -1, -1, -1, 0, 0, 0, 1, 1, 1, 1, 2, 2],
    "half_even": [-2, -2, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2],
    "half_odd": [-2, -1, -1, -1, -1, -1, 0, 0, 0, 1, 1, 1, 1, 1, 2],
    "jam": [-1, -1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1, 1, 1],
    "jam_unbiased": [-1, -1, -1, -1, -1, -1, -1, 0, 1, 1, 1, 1, 1, 1, 1],
}


@pytest.mark.parametrize("mode", TABLE)
def test_rounding_of_quarters(mode):
    assert [oracle.round_fraction(v, Rounding(mode)) for v in QUARTERS] == TABLE[mode]


def test_every_mode_without_random_bits_is_in_the_table():
    assert set(TABLE) == {mode.value for mode in Rounding if not mode.is_stochastic}


def test_stochastic_rounding_goes_up_for_the_given_share_of_all_words():
    # all random numbers of 4 bits: the share that goes up is the fraction itself
    for sixteenths in range(-40, 41):
        value = Fraction(sixteenths, 16)
        results = [oracle.round_fraction(value, Rounding.STOCHASTIC, noise << 28) for noise in range(16)]
        assert sum(results) == 16 * value
        assert max(results) - min(results) <= 1


def test_stochastic_equal_leaves_exact_values_and_halves_the_others():
    up, down = 1 << 31, (1 << 31) - 1
    assert oracle.round_fraction(3, Rounding.STOCHASTIC_EQUAL, up) == 3
    assert oracle.round_fraction(Fraction(1, 8), Rounding.STOCHASTIC_EQUAL, up) == 1
    assert oracle.round_fraction(Fraction(7, 8), Rounding.STOCHASTIC_EQUAL, down) == 0


S3 = FixedFormat(word_bits=3, frac_bits=0)
CODES = list(range(-9, 10))
# IEEE 1666-2011, figures of section 7.10.9.2, for a word of three bits
OVERFLOWS = {
    ("saturate", 0): [-4, -4, -4, -4, -4, -4, -3, -2, -1, 0, 1, 2, 3, 3, 3, 3, 3, 3, 3],
    ("saturate_symmetric", 0): [-3, -3, -3, -3, -3, -3, -3, -2, -1, 0, 1, 2, 3, 3, 3, 3, 3, 3, 3],
    ("saturate_zero", 0): [0, 0, 0, 0, 0, -4, -3, -2, -1, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0],
    ("wrap", 0): [-1, 0, 1, 2, 3, -4, -3, -2, -1, 0, 1, 2, 3, -4, -3, -2, -1, 0, 1],
    ("wrap", 1): [-1, -4, -3, -2, -1, -4, -3, -2, -1, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1],
    ("wrap_sign_magnitude", 0): [0, -1, -2, -3, -4, -4, -3, -2, -1, 0, 1, 2, 3, 3, 2, 1, 0, -1, -2],
    ("wrap_sign_magnitude", 1): [-1, -1, -2, -3, -4, -4, -3, -2, -1, 0, 1, 2, 3, 3, 2, 1, 0, 0, 1],
}


@pytest.mark.parametrize(("mode", "bits"), OVERFLOWS)
def test_overflow_of_a_word_of_three_bits(mode, bits):
    got = [oracle.bring_into_range(c, S3, Overflow(mode), overflow_bits=bits) for c in CODES]
    assert got == OVERFLOWS[mode, bits]


def test_sign_magnitude_wrap_is_continuous():
    got = [oracle.bring_into_range(c, S3, Overflow.WRAP_SIGN_MAGNITUDE) for c in range(-40, 41)]
    assert max(abs(a - b) for a, b in pairwise(got)) == 1


def test_wrap_with_all_bits_saturated_is_saturation():
    for code in CODES:
        want = oracle.bring_into_range(code, S3, Overflow.SATURATE)
        for bits in (3, 4, 64):
            for mode in (Overflow.WRAP, Overflow.WRAP_SIGN_MAGNITUDE):
                assert oracle.bring_into_range(code, S3, mode, overflow_bits=bits) == want


def test_corners_of_ap_and_ac():
    bit = FixedFormat(word_bits=1, frac_bits=0)
    assert oracle.bring_into_range(-1, bit, Overflow.SATURATE_SYMMETRIC) == 0
    for flavor in (Flavor.AP, Flavor.AC):
        assert oracle.bring_into_range(-1, bit, Overflow.SATURATE_SYMMETRIC, flavor=flavor) == -1
    unsigned = FixedFormat(word_bits=4, frac_bits=0, signed=False)
    assert oracle.bring_into_range(-3, unsigned, Overflow.WRAP, overflow_bits=2) == 0b0001
    assert oracle.bring_into_range(-3, unsigned, Overflow.WRAP, overflow_bits=2, flavor=Flavor.AP) == 0b1101
    s5f2 = FixedFormat(word_bits=5, frac_bits=2)
    arguments = (Fraction("15.875"), s5f2, Rounding.HALF_UP, Overflow.WRAP_SIGN_MAGNITUDE)
    assert oracle.cast(*arguments) == 0
    assert oracle.cast(*arguments, flavor=Flavor.AP) == -1


def test_raise_names_range_and_remedy():
    with pytest.raises(UserError, match=r"code 4 is outside \[-4, 3\]"):
        oracle.bring_into_range(4, S3, Overflow.RAISE)


def test_accumulation_by_hand():
    s4 = FixedFormat(word_bits=4, frac_bits=0)
    # 5 + 5 saturates at 7; 7 - 6 = 1
    assert oracle.accumulate([5, 5, -6], 0, s4, Rounding.FLOOR, Overflow.SATURATE) == 1
    # a tree of three sees 4
    assert oracle.accumulate([5, 5, -6], 0, s4, Rounding.FLOOR, Overflow.SATURATE, order="chunked", chunk=3) == 4
    # 3 / 2 rounds to 2 each time, 6 in all; rounding the sum would give 4 or 5
    assert oracle.accumulate([3, 3, 3], 1, s4, Rounding.HALF_EVEN, Overflow.SATURATE) == 6


def test_unknown_modes_name_the_nearest():
    with pytest.raises(UserError, match="did you mean 'half_even'"):
        Rounding("half_evn")
    with pytest.raises(UserError, match="did you mean 'saturate'"):
        Overflow("saturat")
