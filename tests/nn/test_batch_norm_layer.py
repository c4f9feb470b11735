"""The layer: running statistics in the update unit, their use in inference, and their place in the state."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim import nn
from fxpsim.autodiff import Engine, Tensor
from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.units import FixedUnit, FloatUnit
from fxpsim.units.graph import leaf
from fxpsim.units.update import FixedUpdate, FloatUpdate
from fxpsim.units.values import Value

FIXED = FixedFormat(word_bits=32, frac_bits=24)


def bound(layer: nn.Module, engine: Engine, update) -> nn.Module:
    for parameter in layer.parameters():
        parameter.master = update.create(parameter.initializer(parameter.shape, None))
    for buffer in layer.buffers():
        buffer.master = update.create_average(np.full(buffer.shape, buffer.initial))
    refresh(layer, engine)
    return layer


def refresh(layer: nn.Module, engine: Engine) -> None:
    for kept in (*layer.parameters(), *layer.buffers()):
        value = engine.vector.load(kept.master.weights, kept.master.frac_bits)
        kept.tensor = Tensor(engine, value, requires_grad=isinstance(kept, nn.Parameter))


@pytest.mark.parametrize("kind", ["float", "fixed"])
def test_inference_uses_what_training_averaged(kind):
    fixed = kind == "fixed"
    engine = Engine(None, FixedUnit() if fixed else FloatUnit())
    update = FixedUpdate(FIXED, FIXED, Rounding.HALF_EVEN) if fixed else FloatUpdate()
    layer = bound(nn.BatchNorm(3, momentum=1.0).bind("bn"), engine, update)
    assert [b.path for b in layer.buffers()] == ["bn.running_mean", "bn.running_variance"]
    x = np.random.default_rng(0).integers(-9000, 9000, (400, 3)) + np.array([0, 5000, -20000])
    value = engine.tensor(x.astype(np.int32), 10) if fixed else engine.tensor(x / 1024.0)
    trained = layer(value).read()
    for buffer in layer.buffers():
        update.average(buffer.master, buffer.observed, buffer.rate)
        buffer.observed = None
    refresh(layer, engine)
    np.testing.assert_allclose(layer.running_mean.master.read(), (x / 1024).mean(0), atol=1e-4)
    np.testing.assert_allclose(layer.running_variance.master.read(), (x / 1024).var(0, ddof=1), rtol=1e-4)
    with engine.inference():
        np.testing.assert_allclose(layer(value).read(), trained, atol=4e-3)
    assert all(buffer.observed is None for buffer in layer.buffers()), "inference observes nothing"


def test_integer_average_is_exact_but_for_one_rounding():
    update = FixedUpdate(FIXED, FIXED, Rounding.HALF_EVEN)
    master = update.create_average(np.array([1.0, -3.0]))
    update.average(master, Value(leaf(np.array([3 << 10, 5])), 10, 3 << 10), Fraction(1, 8))
    wanted = [Fraction(1) + Fraction(2, 8), Fraction(-3) + (Fraction(5, 1024) + 3) / 8]
    assert master.weights.tolist() == [round(w * 2**24) for w in wanted]


def test_an_observation_out_of_range_saturates():
    update = FixedUpdate(FIXED, FIXED, Rounding.HALF_EVEN)
    master = update.create_average(np.array([1.0]))
    update.average(master, Value(leaf(np.array([2**40])), -10, 2**40), Fraction(1))
    assert master.weights[0] == master.format.max_code // 2**34 * 2**34


def test_a_frozen_layer_observes_nothing():
    engine = Engine(None, FloatUnit())
    layer = bound(nn.BatchNorm(2, frozen=True).bind(), engine, FloatUpdate())
    y = layer(engine.tensor(np.array([[1.0, 2.0], [3.0, 4.0]])))
    np.testing.assert_allclose(y.read(), np.array([[1, 2], [3, 4]]) / np.sqrt(1 + 1e-5), rtol=1e-6)
    assert layer.running_mean.observed is None
