"""PushDown: histograms, the three distances and their searches."""

import math
from fractions import Fraction

import numpy as np
import pytest

from fxpsim.numerics import RandomBits
from fxpsim.policies import Sample
from fxpsim.policies.push_down import (
    INFINITE,
    PushDownRule,
    Weights,
    bisect,
    count_distance,
    divergence,
    push_down,
    released_loss,
    smallest,
)

RANDOM = RandomBits(seed=3)


@pytest.fixture(scope="module")
def weights() -> Weights:
    random = np.random.default_rng(0)
    return Weights.of(Sample((random.standard_normal(500) * 0.1).astype(np.float32), None), 50)


def test_histograms_are_those_of_numpy(weights):
    values = weights.codes / 2.0**weights.frac_bits
    counts, _ = np.histogram(values, bins=50, range=(values.min(), values.max()))
    assert (weights.histogram(weights.codes, drop=True) == counts).all()


def test_quantized_weights_are_those_of_the_casts(weights):
    import fxpsim as fx

    values = weights.codes / 2.0**weights.frac_bits
    for word, frac in ((8, 4), (8, 9), (12, 6), (30, 24)):
        fmt = fx.FixedFormat(word_bits=word, frac_bits=frac)
        ours = weights.quantized(word, frac) / 2.0**weights.frac_bits
        assert (ours == fx.cast(values, fmt, rounding="half_even", overflow="saturate").value).all()
        random = RANDOM.derive("test")
        ours = weights.quantized(word, frac, random) / 2.0**weights.frac_bits
        theirs = fx.cast(values, fmt, rounding="stochastic", overflow="saturate", random=random).value
        assert np.mean(ours == theirs) > 0.99  # a cast reads 32 bits of a fraction, this the whole of it


def test_the_released_loss_is_what_a_direct_evaluation_gives(weights):
    for word, frac in ((8, 4), (10, 7), (20, 14)):
        p = weights.histogram(weights.codes, drop=True) / weights.codes.size
        q = weights.histogram(weights.quantized(word, frac, RANDOM), drop=True).astype(float)
        q /= q.sum()
        expected = sum(math.exp(b) * (b - a) for a, b in zip(p, q, strict=True)) / 50
        assert float(released_loss(weights, word, frac, RANDOM)) == pytest.approx(expected, abs=1e-14)


def test_divergence_and_distance(weights):
    assert divergence(weights, 8, 2) == INFINITE or divergence(weights, 8, 2) > 0
    assert divergence(weights, 32, 28) == count_distance(weights, 32, 28) == 0
    even = Weights(codes=np.array([0, 1, 2, 3]), frac_bits=1, resolution=4)
    # 1 and 3 halves go to even: 0, 0, 1, 2; bins of the weights hold one each
    assert even.quantized(8, 0).tolist() == [0, 0, 2, 4]
    assert float(divergence(even, 8, 0)) == pytest.approx(0.5 * math.log(2))
    assert count_distance(even, 8, 0) == Fraction(2, 4)


@pytest.mark.parametrize("rule", [PushDownRule.PAPER, PushDownRule.HARDWARE])
def test_the_smallest_format_passes_and_one_bit_less_does_not(weights, rule):
    distance = divergence if rule is PushDownRule.PAPER else count_distance
    tolerance = Fraction(1, 50)
    found = push_down(
        weights, rule, word_bits=8, frac_bits=4, min_frac_bits=2, max_word_bits=32, tolerance=tolerance, random=RANDOM
    )
    word, frac = found.word_bits, found.frac_bits
    assert found.distance == distance(weights, word, frac) <= tolerance
    assert 3 <= found.trials <= 12, "two bisections over at most 32 bits"
    assert distance(weights, 32, frac - 1) > tolerance
    assert word == frac + 1 or distance(weights, word - 1, frac) > tolerance


def test_the_released_search_goes_down_by_one_bit_at_most_times(weights):
    found = push_down(
        weights, PushDownRule.RELEASED, word_bits=16, frac_bits=9, min_frac_bits=4, max_word_bits=32,
        tolerance=Fraction(0), random=RANDOM,
    )  # fmt: skip
    assert (found.word_bits, found.frac_bits) == (
        15,
        8,
    )  # the loss is nearly always positive: the lower end climbs to just below the upper


def test_searches():
    assert bisect(lambda bits: bits < 6, 4, 10) == 5
    assert bisect(lambda bits: True, 4, 5) == 5
    assert bisect(lambda bits: bits < 6, 4, 10, test_low=True) == 7  # tests the end it already has
    assert smallest(lambda bits: bits < 6, 4, 10) == 6


def test_a_constant_tensor_is_no_error():
    flat = Weights.of(Sample(np.zeros(9, np.float32), None), 10)
    assert divergence(flat, 8, 4) == count_distance(flat, 8, 4) == released_loss(flat, 8, 4, RANDOM) == 0
