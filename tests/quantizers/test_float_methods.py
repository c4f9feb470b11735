"""DoReFa, logarithmic numbers and per-weight fraction lengths, each against its formula."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import floor

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.numerics import RandomBits
from fxpsim.quantizers import DoReFa, HighGranularity, LogarithmicCodes
from fxpsim.quantizers.hgq import aligned, magnitude_bits
from fxpsim.quantizers.logarithmic import octave_points

X = np.random.default_rng(0).standard_normal((7, 11)).astype(np.float32)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_dorefa_weights(bits):
    largest = 2**bits - 1
    squashed = np.tanh(X.astype(np.float64))
    wanted = squashed / (2 * np.abs(squashed).max()) + 0.5
    codes = DoReFa(role="weight").encode(X, bits=bits).codes
    away_from_ties = np.abs((wanted * largest) % 1 - 0.5) > 1e-4
    assert np.array_equal(codes[away_from_ties], np.rint(wanted * largest)[away_from_ties])
    values = DoReFa(role="weight").encode(X, bits=bits).value * largest
    assert np.allclose(values, np.rint(values))
    assert (np.rint(values) % 2 == 1).all()


def test_dorefa_one_bit_weights_carry_the_mean_magnitude():
    x = np.array([[0.5, -0.25], [0.0, 0.25]], np.float32)
    assert DoReFa(role="weight").encode(x, bits=1).value.tolist() == [[0.25, -0.25], [0.25, 0.25]]


def test_dorefa_gradients_are_symmetric_per_sample():
    encoded = DoReFa(role="gradient").encode(X, bits=6, random=RandomBits())
    top = np.abs(X.astype(np.float64)).max(axis=1)
    assert np.allclose(encoded.reading.scale.step.ravel(), 2 * top / 63)
    assert (np.abs(encoded.value) <= top[:, None] * (1 + 1e-12)).all()
    ends = np.abs(X) == np.abs(X).max(axis=1, keepdims=True)
    assert np.allclose(encoded.value[ends], X[ends])  # an end rounds to itself


@pytest.mark.parametrize(("gamma", "bits"), [(1, 5), (8, 8), (64, 12)])
def test_logarithms_are_nearest(gamma, bits):
    x = X * np.float32(37.5)
    encoded = LogarithmicCodes(gamma=gamma).encode(x, bits=bits)
    largest = 2 ** (bits - 1) - 1
    exponent = int(np.ceil(np.log2(np.abs(x).max())))
    exact = largest + gamma * (np.log2(np.abs(x.astype(np.float64))) - exponent)
    far_from_ties = np.abs(exact % 1 - 0.5) > 1e-9
    wanted = np.sign(x) * np.maximum(np.floor(exact + 0.5), 1)
    assert far_from_ties.sum() > 70
    assert np.array_equal(encoded.codes[far_from_ties], wanted[far_from_ties])


def test_products_of_logarithmic_values_add_codes():
    encoded = LogarithmicCodes(gamma=8).encode(X, bits=8)
    codes = np.abs(encoded.codes.astype(np.int64))
    a, b = encoded.value[0], encoded.value[1]
    reading = encoded.reading
    total = reading.exponent * 2 + (codes[0] + codes[1] - 2 * reading.largest) / 8
    assert np.allclose(np.abs(a * b), 2.0**total, rtol=1e-14)


def test_small_magnitudes_flush_at_half_the_smallest():
    smallest = 2.0**-7  # 4 bits, one code per octave
    x = np.array([1.0, smallest * 2, smallest, smallest / 2, smallest / 2.01, 0.0], np.float32)
    assert LogarithmicCodes(gamma=1).encode(x, bits=4).codes.tolist() == [7, 1, 1, 0, 0, 0]
    assert LogarithmicCodes(gamma=1).encode(-x, bits=4).codes.tolist() == [-7, -1, -1, 0, 0, 0]


def test_thresholds_are_the_binary64_below_the_roots():
    with localcontext() as context:
        context.prec = 60
        for halves in (False, True):
            for j, point in enumerate(octave_points(16, halves=halves).tolist()):
                exact = Decimal(2) ** (Decimal(2 * j + halves) / 32)
                assert Decimal(point) <= exact * (1 + Decimal(10) ** -55)
                assert Decimal(float(np.nextafter(point, 2))) > exact


def test_gamma_must_be_a_power_of_two():
    with pytest.raises(UserError, match="gamma is 6"):
        LogarithmicCodes(gamma=6)


def test_fraction_lengths_per_weight():
    rng = np.random.default_rng(1)
    frac_bits = rng.integers(-2, 7, X.shape)
    encoded = HighGranularity().encode(X, bits=frac_bits)
    for x, f, code, value in zip(
        X.ravel(), frac_bits.ravel(), encoded.codes.ravel(), encoded.value.ravel(), strict=True
    ):
        wanted = floor(Fraction(float(x)) * Fraction(2) ** int(f) + Fraction(1, 2))
        assert int(code) == wanted
        assert float(value) == wanted * 2.0 ** -int(f)
    assert magnitude_bits(encoded).ravel().tolist() == [abs(int(c)).bit_length() for c in encoded.codes.ravel()]
    assert np.array_equal(aligned(encoded).value, encoded.value)


def test_ties_of_weights_go_up():
    x = np.array([0.5, -0.5, 1.5, -1.5, 0.49999997], np.float32)
    assert HighGranularity().encode(x, bits=0).codes.tolist() == [1, 0, 2, -1, 0]


def test_fraction_lengths_per_column():
    encoded = HighGranularity().encode(X, bits=np.arange(11))
    assert np.array_equal(encoded.value[:, 3], np.floor(X[:, 3].astype(np.float64) * 8 + 0.5) / 8)
    with pytest.raises(UserError, match="broadcasts"):
        HighGranularity().encode(X, bits=np.arange(10))


def test_codes_of_more_than_32_bits_are_refused():
    with pytest.raises(UserError, match="codes need"):
        HighGranularity().encode(np.array([1e6], np.float32), bits=20)
