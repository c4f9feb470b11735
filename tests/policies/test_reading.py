"""What policies read: exact integers, whatever the order; logarithms that are the same everywhere."""

import math
from fractions import Fraction

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.policies import Sample, from_json, to_json
from fxpsim.policies.logarithms import exp, hardware_ln, hardware_log2, ln, log2
from fxpsim.policies.sample import magnitude, round_shift, square_sum


def test_floats_become_integers_relative_to_the_leading_bit():
    x = np.array([0.0, 1.5, -3.0, 2.0**-20], np.float32)
    codes, frac = Sample(x, None).integers()
    assert (codes / 2.0**frac == x).all()
    assert int(np.abs(codes).max()).bit_length() == 36


def test_grid_rounds_to_even_and_saturates():
    sample = Sample(np.array([0.5, 1.5, -2.5, 1e20], np.float32), None)
    assert sample.on_grid(0).tolist()[:3] == [0, 0, 0]  # far below the largest: 2**-36 of 1e20
    assert Sample(np.array([0.5, 1.5, -2.5], np.float32), None).on_grid(0).tolist() == [0, 2, -2]
    assert sample.on_grid(0)[3] == 2**44
    assert Sample(np.array([3, -3], np.int32), 2).on_grid(5).tolist() == [24, -24]


def test_sums_are_exact_for_large_and_many():
    random = np.random.default_rng(0)
    codes = random.integers(-(2**43), 2**43, 70_000)
    assert square_sum(codes) == sum(int(c) ** 2 for c in codes)
    assert magnitude(codes) == sum(abs(int(c)) for c in codes)
    assert square_sum(codes[::-1]) == square_sum(codes)


def test_shifts_round_to_even_like_fractions():
    codes = np.arange(-40, 41)
    for shift in (0, 1, 2, 5):
        assert round_shift(codes, shift).tolist() == [round(Fraction(int(c), 2**shift)) for c in codes]
    assert round_shift(codes, 70).tolist() == [0] * 81


def test_a_diverged_tensor_is_refused():
    with pytest.raises(UserError, match="diverged"):
        Sample(np.array([np.inf], np.float32), None).integers()


def test_logarithms():
    for x in (Fraction(1, 1000), Fraction(2, 3), Fraction(53, 10), Fraction(10**9)):
        assert float(ln(x)) == pytest.approx(math.log(x), rel=1e-15)
        assert float(log2(x)) == pytest.approx(math.log2(x), rel=1e-15)
        assert abs(float(hardware_ln(x)) - math.log(x)) < 2**-13
    assert float(exp(Fraction(1, 3))) == pytest.approx(math.exp(1 / 3), rel=1e-15)
    assert [hardware_log2(1 << n) for n in (0, 5, 50)] == [0, 5 << 16, 50 << 16]


def test_arrays_survive_json():
    import json

    state = {
        "a": np.arange(-3, 3, dtype=np.int64).reshape(2, 3),
        "b": [1, None, 0.1],
        "c": {"d": 2**70, "e": Fraction(1, 3)},
    }
    back = from_json(json.loads(json.dumps(to_json(state))))
    assert back["a"].dtype == np.int64
    assert (back["a"] == state["a"]).all()
    assert (back["b"], back["c"]) == (state["b"], state["c"])
