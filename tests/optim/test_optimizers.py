"""Optimizers: the integer update unit against exact rationals, the binary32 one against plain formulas."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.optim import Adam, AdamW, IntegerSgd, NormalizedSgd, Plateau, Sgd, optimizers, schedules
from fxpsim.optim.base import global_scale, root
from fxpsim.units.graph import leaf
from fxpsim.units.update import FixedUpdate, FloatUpdate
from fxpsim.units.values import Value

KEY = (3, 4)
ONE = Fraction(1)
FORMAT = FixedFormat(word_bits=32, frac_bits=24)
random = np.random.default_rng(5)


def fixed(rounding: Rounding = Rounding.HALF_EVEN) -> FixedUpdate:
    return FixedUpdate(FORMAT, FORMAT, rounding)


def gradient(values: np.ndarray, unit) -> Value:
    if isinstance(unit, FloatUpdate):
        return Value(leaf(values.astype(np.float32)))
    codes = np.rint(values * 2**20).astype(np.int32)
    return Value(leaf(codes), 20, int(np.abs(codes).max()))


def adam_in_float64(w, gradients, optimizer):
    m = v = np.zeros_like(w)
    for t, given in enumerate(gradients, start=1):
        decay = optimizer.weight_decay
        g = given if optimizer.decoupled else given + decay * w
        m = optimizer.beta1 * m + (1 - optimizer.beta1) * g
        v = optimizer.beta2 * v + (1 - optimizer.beta2) * g * g
        hat_m, hat_v = m / (1 - optimizer.beta1**t), v / (1 - optimizer.beta2**t)
        step = optimizer.learning_rate * hat_m / (np.sqrt(hat_v) + optimizer.epsilon)
        w = w - step - (optimizer.learning_rate * decay * w if optimizer.decoupled else 0)
    return w


@pytest.mark.parametrize("unit", [FloatUpdate(), fixed()], ids=["float", "fixed"])
@pytest.mark.parametrize("optimizer", [Adam(learning_rate=0.01, weight_decay=0.01), AdamW(learning_rate=0.01)])
def test_adam_follows_the_formula(unit, optimizer):
    start = random.standard_normal((3, 5))
    gradients = random.standard_normal((40, 3, 5)) * np.array([1.0, 0.1, 0.01, 0.3, 0.001])
    gradients = np.rint(gradients * 2**20) / 2**20
    master = unit.create(start)
    for g in gradients:
        optimizer.step(unit, master, gradient(g, unit), ONE, KEY, decay=True)
    wanted = adam_in_float64(start, gradients, optimizer)
    # gradients of 1e-3 have squares of 20 significant bits in the integer unit, and rates 8 bits
    assert np.abs(master.read() - wanted).max() < (2e-6 if isinstance(unit, FloatUpdate) else 2e-3) * 40 * 0.01 * 10
    assert np.abs(master.read() - start).max() > 0.1
    assert master.moments["count"][0] == 40


def test_one_integer_step_of_adam_by_plain_integers():
    unit = fixed()
    master = unit.create(np.array([0.5, -0.25, 0.0]))
    codes = [1 << 18, -(1 << 12), 0]
    grad = Value(leaf(np.array(codes, np.int32)), 20, 1 << 18)
    optimizer = Adam(learning_rate=0.125, epsilon=2.0**-20, beta1=0.5, beta2=0.75)
    optimizer.step(unit, master, grad, ONE, KEY, decay=True)
    correction, wanted = root(Fraction(1, 4)), []
    for weight, code in zip([1 << 23, -(1 << 22), 0], codes, strict=True):
        g = code << 4
        m = g // 2
        square = min((g * g) >> 8, 2**54 - 1)
        v = round(Fraction(square, 4))
        ratio = (m << 24) // (math.isqrt(v << 8) + max(round(Fraction(2**4) * correction), 1))
        rate = Fraction(1, 8) * correction / Fraction(1, 2)
        wanted.append(weight - round(ratio * rate))
    assert master.weights.tolist() == wanted


def test_clipping_by_norm_and_by_value():
    values = random.standard_normal((4, 6))
    for unit in (FloatUpdate(), fixed()):
        grads = [gradient(v, unit) for v in values]
        scale = global_scale(unit, grads, Fraction(1, 2))
        assert abs(float(scale) - 0.5 / np.sqrt((values**2).sum())) < 1e-5
        assert global_scale(unit, grads, Fraction(1000)) == 1
        assert Sgd(learning_rate=1.0, clip_norm=0.5).clip(unit, grads) == scale
        assert Sgd(learning_rate=1.0).clip(unit, grads) == 1
        for optimizer, given in ((Sgd(learning_rate=1.0), scale), (Sgd(learning_rate=1.0, clip_tensor_norm=0.25), ONE)):
            master = unit.create(np.zeros(6))
            optimizer.step(unit, master, grads[0], ONE, KEY, decay=True, scale=given)
            factor = float(given) if given != 1 else 0.25 / np.linalg.norm(values[0])
            np.testing.assert_allclose(master.read(), -values[0] * factor, atol=2e-5)
        master = unit.create(np.zeros(6))
        Sgd(learning_rate=1.0, clip_value=0.25).step(unit, master, grads[0], ONE, KEY, decay=True)
        np.testing.assert_allclose(master.read(), -np.clip(values[0], -0.25, 0.25), atol=1e-5)


def test_normalized_gradient_has_length_one():
    values = 1e-3 * random.standard_normal(40)
    for unit in (FloatUpdate(), fixed()):
        master = unit.create(np.zeros(40))
        NormalizedSgd(learning_rate=0.5).step(unit, master, gradient(values, unit), ONE, KEY, decay=True)
        assert abs(np.linalg.norm(master.read()) - 0.5) < 1e-3
        before = master.read()
        NormalizedSgd(learning_rate=0.5).step(unit, master, gradient(np.zeros(40), unit), ONE, KEY, decay=True)
        assert (master.read() == before).all()


def test_integer_rates_are_shifts():
    unit = fixed(Rounding.FLOOR)
    master = unit.create(np.zeros(3))
    codes = np.array([5, -7, 100], np.int32)
    optimizer = IntegerSgd(rate_shift=3, momentum=3, momentum_shift=2)
    velocity, weights = [0, 0, 0], [0, 0, 0]
    for _ in range(3):
        optimizer.step(unit, master, Value(leaf(codes), 24, 100), ONE, KEY, decay=True)
        velocity = [(3 * v >> 2) + int(c) for v, c in zip(velocity, codes, strict=True)]
        weights = [w - (v >> 3) for w, v in zip(weights, velocity, strict=True)]
        assert master.weights.tolist() == weights
    for factor in (Fraction(1, 3), Fraction(9, 10), Fraction(1, 1000)):
        rate = optimizer.learning_rate(factor)
        assert rate.numerator == 1
        assert rate.denominator & (rate.denominator - 1) == 0


@pytest.mark.parametrize(("numerator", "denominator"), [(2, 1), (1, 3), (10**12 + 7, 10**30), (10**20, 7)])
def test_root(numerator, denominator):
    x = Fraction(numerator, denominator)
    assert abs(float(root(x)) / math.sqrt(x) - 1) < 1e-11


def test_wrong_parameters_are_refused():
    with pytest.raises(UserError, match="clip_norm"):
        Sgd(learning_rate=0.1, clip_norm=-1)
    with pytest.raises(UserError, match="rate_bits"):
        IntegerSgd(rate_shift=3, rate_bits=0)


def test_registries():
    assert {"sgd", "adam", "adamw", "normalized_sgd", "integer_sgd"} <= set(optimizers)
    assert {"constant", "step", "cosine", "one_cycle", "plateau"} <= set(schedules)


def test_plateau_goes_on_from_its_state():
    first = Plateau(factor=0.5, patience=0)
    for loss in (Fraction(10, 3), Fraction(2), Fraction(2), Fraction(2)):
        first.observe(loss)
    second = Plateau(factor=0.5, patience=0)
    second.restore(json.loads(json.dumps(first.state)))
    assert second == first
    assert second(0, 1) == first(0, 1) == Fraction(1, 4)
