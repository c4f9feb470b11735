"""WAGE and NITI: the published rules and their traps."""

import numpy as np
import pytest

from fxpsim.array import QTensor
from fxpsim.errors import UserError
from fxpsim.numerics import RandomBits
from fxpsim.quantizers import Niti, Wage
from fxpsim.quantizers.niti import pseudo_stochastic
from fxpsim.quantizers.wage import nearest_exponent


def test_wage_weights_are_ternary():
    x = np.array([-3.0, -0.5, -0.26, -0.25, 0.0, 0.25, 0.3, 0.9], np.float32)
    assert Wage(role="weight").encode(x, bits=2).value.tolist() == [-0.5, -0.5, -0.5, 0, 0, 0, 0.5, 0.5]


def test_wage_activations_saturate_one_unit_below_one():
    x = np.array([2.0, 0.999, 0.5, 1 / 256, 3 / 256], np.float32)
    assert Wage(role="activation").encode(x, bits=8).codes.tolist() == [127, 127, 64, 0, 2]


def test_wage_errors_forget_their_magnitude():
    x = np.array([0.3, -1.0, 0.02], np.float32)
    codes = Wage(role="error").encode(x, bits=8).codes
    for exponent in (-20, 5):
        encoded = Wage(role="error").encode(x * np.float32(2.0**exponent), bits=8)
        assert np.array_equal(encoded.codes, codes)
        assert encoded.exponent_discarded == exponent
        assert np.abs(encoded.value).max() <= 127 / 128


@pytest.mark.parametrize("rate", [8.0, 1.0, 0.125])
def test_wage_learning_rate_is_the_move_of_the_largest_gradient(rate):
    x = np.full(4000, -(2.0**-9), np.float32)
    encoded = Wage(role="gradient", learning_rate=rate).encode(x, bits=8, random=RandomBits())
    assert encoded.codes.mean() == pytest.approx(-rate, rel=0.15)
    assert set(np.unique(encoded.codes).tolist()) <= {-int(rate), -int(rate) - 1} | {0, -1}


def test_wage_gradients_above_the_power_of_two_do_not_clip():
    x = np.full(4000, 1.4, np.float32)
    for rate in (1.0, 8.0):
        encoded = Wage(role="gradient", learning_rate=rate).encode(x, bits=8, random=RandomBits())
        assert encoded.exponent_discarded == 0
        assert encoded.codes.mean() == pytest.approx(1.4 * rate, rel=0.02)


def test_wage_exponent_rounds_at_the_root_of_two():
    root = np.sqrt(2)
    assert nearest_exponent(root * (1 - 1e-15)) == 0
    assert nearest_exponent(root * (1 + 1e-15)) == 1
    for x in np.exp(np.random.default_rng(0).uniform(-60, 60, 500)).tolist():
        assert nearest_exponent(x) == round(np.log2(x))


def test_wage_refuses_rates_and_roles():
    with pytest.raises(UserError, match="learning_rate"):
        Wage(role="gradient", learning_rate=0.0)
    with pytest.raises(ValueError, match="bias"):
        Wage(role="bias")


def test_niti_shifts_by_the_bit_length():
    for largest, shift in [(127, 0), (128, 1), (255, 1), (256, 2), (1 << 20, 14)]:
        encoded = Niti().encode(QTensor([largest, 1, 0], "s32f4"), bits=8)
        assert float(encoded.reading.scale.step) == 2.0 ** (shift - 4)
        assert int(encoded.codes.max()) in (64, 127)  # 128 is not wrapped, 255 / 2 saturates


def test_niti_keeps_a_tensor_of_one_unit():
    assert Niti().encode(QTensor([1, 0, -1], "s32f0"), bits=4).codes.tolist() == [1, 0, -1]


def test_niti_rounds_half_away():
    codes = [255 * 4, 6, -6, 2, -2, 1]
    assert Niti().encode(QTensor(codes, "s32f0"), bits=9).codes.tolist() == [255, 2, -2, 1, -1, 0]


# mean error in units in the last place, by how many bits are dropped
BIAS = {1: 0.25, 2: -0.125, 3: 0.06, 4: -0.09, 6: -0.05, 8: -0.03, 12: -0.008}


@pytest.mark.parametrize(("shift", "bias"), BIAS.items())
def test_pseudo_stochastic_rounding_has_the_known_bias(shift, bias):
    codes = np.arange(1 << (shift + 3))
    error = pseudo_stochastic(codes, shift) - codes / (1 << shift)
    assert error.mean() == pytest.approx(bias, abs=0.006)
    assert np.array_equal(pseudo_stochastic(-codes, shift), -pseudo_stochastic(codes, shift))


def test_pseudo_stochastic_bias_explodes_where_low_bits_are_zero():
    codes = np.arange(0, 1 << 9, 4)
    assert (pseudo_stochastic(codes, 4) - codes / 16).mean() == pytest.approx(0.375)


def test_niti_gradient_bits_are_the_learning_rate():
    x = QTensor(np.arange(-5000, 5000, 7), "s32f0")
    for bits in (6, 5, 4):
        largest = int(np.abs(Niti(rounding="pseudo_stochastic").encode(x, bits=bits).codes).max())
        assert 2 ** (bits - 2) <= largest < 2 ** (bits - 1)
