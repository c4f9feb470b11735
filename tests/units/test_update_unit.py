"""The update unit against exact integers (fixed point) and NumPy's binary32 (float)."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxpsim.numerics import FixedFormat, Rounding, oracle
from fxpsim.units import SgdStep, Value
from fxpsim.units.fixed import constant
from fxpsim.units.graph import leaf
from fxpsim.units.update import COEFFICIENT_BITS, FixedUpdate, FloatUpdate

MASTER, MOMENT = FixedFormat(word_bits=32, frac_bits=24), FixedFormat(word_bits=32, frac_bits=26)
CODES = st.lists(st.integers(-(2**15) + 1, 2**15 - 1), min_size=3, max_size=3)
RATES = st.sampled_from(["0", "0.9", "0.5", "0.0005", "0.05", "1", "0.013"]).map(Fraction)


def held(factor: Fraction) -> Fraction:
    mantissa, shift = constant(factor, COEFFICIENT_BITS - 1)
    return mantissa / Fraction(2) ** shift


def rounded(x: Fraction, fmt: FixedFormat) -> Fraction:
    """``x`` on the grid of a format, not yet in its range."""
    return oracle.round_fraction(x * Fraction(2) ** fmt.frac_bits, Rounding.HALF_EVEN) / Fraction(2) ** fmt.frac_bits


def saturated(x: Fraction, fmt: FixedFormat) -> Fraction:
    code = min(max(x * Fraction(2) ** fmt.frac_bits, fmt.min_code), fmt.max_code)
    return code / Fraction(2) ** fmt.frac_bits


def plain_step(w: Fraction, v: Fraction, g: Fraction, step: SgdStep) -> tuple[Fraction, Fraction]:
    total = rounded(g, MOMENT)
    if step.weight_decay:
        total += rounded(w * held(step.weight_decay), MOMENT)
    gradient = total
    if step.momentum:
        total += rounded(v * held(step.momentum), MOMENT)
    v = saturated(total, MOMENT)
    direction = v
    if step.momentum and step.nesterov:
        direction = saturated(gradient + rounded(v * held(step.momentum), MOMENT), MOMENT)
    return saturated(w - rounded(direction * held(step.learning_rate), MASTER), MASTER), v


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(MASTER.min_code, MASTER.max_code), min_size=3, max_size=3),
    CODES,
    CODES,
    st.integers(-40, 40),
    RATES.filter(bool),
    RATES,
    RATES,
    st.booleans(),
)
def test_fixed_sgd_equals_exact_integers(weights, first, second, frac_bits, rate, momentum, decay, nesterov):
    unit = FixedUpdate(MASTER, MOMENT, Rounding.HALF_EVEN)
    master = unit.create(np.zeros(3))
    master.weights = np.array(weights, np.int32)
    step = SgdStep(learning_rate=rate, momentum=momentum, weight_decay=decay, nesterov=nesterov)
    expected = [(Fraction(w, 2**MASTER.frac_bits), Fraction(0)) for w in weights]
    for codes in (first, second):
        grad = Value(leaf(np.array(codes, np.int16)), frac_bits, 2**15)
        unit.sgd(master, grad, step, (1, 2))
        expected = [
            plain_step(w, v, Fraction(c) / Fraction(2) ** frac_bits, step)
            for (w, v), c in zip(expected, codes, strict=True)
        ]
    assert master.weights.tolist() == [w * 2**MASTER.frac_bits for w, _ in expected]
    if momentum:
        assert master.moments["momentum"].tolist() == [v * 2**MOMENT.frac_bits for _, v in expected]


def test_saturation_of_master_and_momentum_is_counted():
    unit = FixedUpdate(MASTER, MOMENT, Rounding.HALF_EVEN)
    master = unit.create(np.array([127.0, 0.0]))
    grad = Value(leaf(np.array([-32000, 1], np.int16)), -10, 2**15)
    counts = unit.sgd(master, grad, SgdStep(learning_rate=Fraction(1), momentum=Fraction(1, 2)), (0, 0))
    assert counts["momentum"].saturated == 2
    assert counts["master"].saturated == 1
    assert master.weights[0] == MASTER.max_code


def test_stochastic_updates_are_unbiased_and_their_roundings_independent():
    unit = FixedUpdate(
        FixedFormat(word_bits=16, frac_bits=4), FixedFormat(word_bits=16, frac_bits=4), Rounding.STOCHASTIC
    )
    size = 40_000
    master = unit.create(np.zeros(size))
    grad = Value(leaf(np.full(size, 3, np.int16)), 6, 3)  # 3/64: three quarters of a step
    unit.sgd(master, grad, SgdStep(learning_rate=Fraction(1, 4), momentum=Fraction(1, 2)), (5, 6))
    codes = master.moments["momentum"]
    assert set(np.unique(codes)) == {0, 1}
    assert abs(codes.mean() - 0.75) < 5 * np.sqrt(0.1875 / size)
    moved = -master.weights[codes == 1]  # a quarter of a step: up once in four, whatever the first rounding drew
    assert abs(moved.mean() - 0.25) < 5 * np.sqrt(0.1875 / moved.size)


@pytest.mark.parametrize("nesterov", [False, True])
def test_float_sgd_is_binary32_operation_by_operation(nesterov):
    random = np.random.default_rng(2)
    w, g1, g2 = (random.standard_normal(50).astype(np.float32) for _ in range(3))
    unit = FloatUpdate()
    master = unit.create(w)
    step = SgdStep(
        learning_rate=Fraction("0.1"), momentum=Fraction("0.9"), weight_decay=Fraction("0.0005"), nesterov=nesterov
    )
    rate, momentum, decay = np.float32(0.1), np.float32(0.9), np.float32(0.0005)
    v = np.zeros_like(w)
    for g in (g1, g2):
        unit.sgd(master, Value(leaf(g)), step, (0, 0))
        total = g + w * decay
        v = v * momentum + total
        direction = total + v * momentum if nesterov else v
        w = w - direction * rate
    np.testing.assert_array_equal(master.weights, w)
    np.testing.assert_array_equal(master.moments["momentum"], v)
