"""The rounding kernels against the specification in fractions."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim.kernels.coding.rounding import carried
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.numerics.oracle import round_fraction
from fxpsim.quantizers.inputs import rounding_of
from fxpsim.quantizers.rounding import random_words, round_rows

MODES = [Rounding.HALF_EVEN, Rounding.HALF_AWAY, Rounding.HALF_UP, Rounding.STOCHASTIC]
WORD = FixedFormat(word_bits=8, frac_bits=0)
TINY = 2.0**-60


def hard_values():
    grid = np.arange(-24, 25) / 4
    near = np.concatenate([np.nextafter(grid, -np.inf), np.nextafter(grid, np.inf)])
    return np.concatenate([grid, near, [TINY, -TINY, 1 - 2.0**-53, -1 + 2.0**-53, 0.49999999999999994, -0.0]])


@pytest.mark.parametrize("mode", MODES)
def test_rows_round_as_the_specification(mode):
    values = hard_values()
    random = RandomBits(seed=5)
    codes = round_rows(values, np.zeros(1), np.ones(1), WORD, rounding=mode, random=random)
    words = random.words(values.size).tolist()
    expected = [round_fraction(Fraction(v), mode, w) for v, w in zip(values.tolist(), words, strict=True)]
    assert codes.tolist() == expected


@pytest.mark.parametrize("word", [0, 1, 2**31, 2**32 - 1])
def test_extreme_random_words(word):
    values = hard_values().tolist()
    expected = [round_fraction(Fraction(v), Rounding.STOCHASTIC, word) for v in values]
    assert [carried(v, float(word)) for v in values] == expected


def test_rows_have_their_own_ends_and_clip():
    x = np.array([[1.0, 2.0, 900.0], [1.0, 2.0, -900.0]], np.float32)
    codes = round_rows(
        x, np.array([1.0, 0.0]), np.array([1.0, 2.0]), WORD, base=1, rounding=Rounding.HALF_EVEN, limits=(-5, 100)
    )
    assert codes.tolist() == [[1, 2, 100], [3, 5, -5]]


def test_rows_that_cross_work_units():
    x = np.ones((3, 7001))
    codes = round_rows(x, np.zeros(3), np.array([1.0, 2.0, 3.0]), WORD, rounding=Rounding.HALF_EVEN)
    assert (codes == np.array([[1], [2], [3]])).all()


def test_few_random_bits_are_masked():
    source = RandomBits(seed=3, stream=9, bits=4)
    assert np.array_equal(random_words(source, 4100), source.words(4100))


def test_other_roundings_are_refused():
    with pytest.raises(ValueError, match="one of: half_even"):
        rounding_of("floor", "test")
