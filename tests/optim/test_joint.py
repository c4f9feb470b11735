"""Tensors that are updated together end with the bits that each has by itself."""

import copy
from fractions import Fraction

import numpy as np
import pytest

from fxpsim.numerics import FixedFormat, Rounding
from fxpsim.optim import Adam, IntegerSgd, NormalizedSgd, Sgd
from fxpsim.optim.joint import average_together, joinable, step_together
from fxpsim.units import Value
from fxpsim.units.graph import leaf
from fxpsim.units.update import FixedUpdate, FloatUpdate

SHAPES = [(3,), (2, 2), (1,), (5,)]
FORMAT = FixedFormat(word_bits=32, frac_bits=24)
OPTIMIZERS = [
    Sgd(learning_rate=0.1, momentum=0.9, nesterov=True),
    IntegerSgd(rate_shift=3, momentum=3, momentum_shift=2),
    Adam(learning_rate=0.01),
]
UNITS = [FloatUpdate(), FixedUpdate(FORMAT, FORMAT, Rounding.HALF_EVEN)]


def gradients(unit, random: np.random.Generator) -> list[Value]:
    if isinstance(unit, FloatUpdate):
        return [Value(leaf(random.standard_normal(shape).astype(np.float32))) for shape in SHAPES]
    # two of one binary point, two of others
    return [
        Value(leaf(random.integers(-9000, 9000, shape).astype(np.int16)), point, 9000)
        for shape, point in zip(SHAPES, (12, 30, 12, 9), strict=True)
    ]


def state(masters) -> list[dict[str, list[float]]]:
    return [{"weights": m.weights.tolist()} | {k: v.tolist() for k, v in m.moments.items()} for m in masters]


@pytest.mark.parametrize("unit", UNITS, ids=["float", "fixed"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_together_is_as_one_by_one(unit, optimizer):
    random = np.random.default_rng(3)
    alone = [unit.create(random.standard_normal(shape)) for shape in SHAPES]
    together = copy.deepcopy(alone)
    assert joinable(optimizer, unit)
    for _ in range(3):
        found = gradients(unit, random)
        for master, gradient in zip(alone, found, strict=True):
            optimizer.step(unit, master, gradient, Fraction(1, 2), (1, 2), decay=False, scale=Fraction(3, 4))
        step_together(optimizer, unit, together, found, Fraction(1, 2), Fraction(3, 4))
        assert state(together) == state(alone)
    assert [m.weights.shape for m in together] == SHAPES


@pytest.mark.parametrize("unit", UNITS, ids=["float", "fixed"])
def test_averages_move_together(unit):
    random = np.random.default_rng(4)
    alone = [unit.create_average(random.standard_normal(shape)) for shape in SHAPES]
    together = copy.deepcopy(alone)
    rates = [Fraction(1, 10), Fraction(1, 10), Fraction(1, 3), Fraction(1, 10)]
    found = gradients(unit, random)
    for master, seen, rate in zip(alone, found, rates, strict=True):
        unit.average(master, seen, rate)
    average_together(unit, together, found, rates)
    assert state(together) == state(alone)


def test_what_looks_at_a_whole_tensor_goes_alone():
    unit = FloatUpdate()
    assert not joinable(NormalizedSgd(learning_rate=0.1), unit)
    assert not joinable(Sgd(learning_rate=0.1, clip_tensor_norm=1.0), unit)
    assert not joinable(Sgd(learning_rate=0.1), FixedUpdate(FORMAT, FORMAT, Rounding.STOCHASTIC))
