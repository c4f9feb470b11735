"""Batch normalization: gradients, integers against exact rationals, and agreement of the units."""

import math
from fractions import Fraction

import numpy as np
import pytest

from fxpsim.autodiff import ops
from fxpsim.autodiff.check import check_gradient, reference_engine
from fxpsim.kernels import normalization
from fxpsim.kernels.columns import column_moments, column_products
from fxpsim.kernels.threads import set_threads
from fxpsim.numerics import Rounding, oracle
from fxpsim.train.counter import WorkloadCounter
from fxpsim.units import FixedUnit, FloatUnit
from fxpsim.units.graph import leaf
from fxpsim.units.reference import ReferenceUnit
from fxpsim.units.values import Value

EPSILON = Fraction(1, 100000)


def test_gradient():
    random = np.random.default_rng(0)
    shapes = (4, 3, 2, 5), 5, 5
    check_gradient(
        lambda x, g, b: ops.batch_norm(x, g, b, epsilon=EPSILON), *(random.standard_normal(s) for s in shapes)
    )


def test_frozen_gradient():
    random = np.random.default_rng(0)
    mean, variance = random.standard_normal(5), random.random(5) + 0.5

    def function(x, gamma, beta):
        engine = x.engine
        return ops.frozen_batch_norm(x, gamma, beta, engine.tensor(mean), engine.tensor(variance), epsilon=EPSILON)

    check_gradient(function, random.standard_normal((6, 5)), random.standard_normal(5), random.standard_normal(5))


def test_count_row():
    engine = reference_engine()
    engine.counter = counter = WorkloadCounter()
    one = engine.tensor(np.ones(3))
    ops.batch_norm(engine.tensor(np.zeros((4, 3))), one, one, epsilon=EPSILON)
    row = counter.vectors[0]
    assert (row["op"], row["read_elements"], row["write_elements"], row["operations"]) == ("batch_norm", 24, 12, 60)


def tensor(codes, frac_bits: int) -> Value:
    codes = np.asarray(codes)
    return Value(leaf(codes), frac_bits, int(np.abs(codes).max()))


def exactly(codes: np.ndarray, frac_bits: int) -> list[Fraction]:
    return [Fraction(int(c)) / Fraction(2) ** frac_bits for c in codes]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("word_bits", [16, 8])
def test_forward_is_the_rational_result_to_a_coefficient_and_a_rounding(seed, word_bits):
    random = np.random.default_rng(seed)
    unit = FixedUnit(word_bits)
    spread = random.integers(1, unit.limit // 4, 4)
    x = random.integers(-spread, spread + 1, (30, 4)) + random.integers(-unit.limit // 2, unit.limit // 2, 4)
    frac_bits = int(random.integers(-3, 18))
    gamma, beta = random.integers(-(2**25), 2**25, (2, 4))
    y, _ = unit.normalize_batch(tensor(x.astype(np.int16), frac_bits), tensor(gamma, 24), tensor(beta, 24), EPSILON)
    codes = unit.array(y)
    assert int(np.abs(codes).max()) * 8 > unit.limit, "the word is used"
    for c in range(4):
        column = exactly(x[:, c], frac_bits)
        mean = sum(column) / 30
        variance = sum((v - mean) ** 2 for v in column) / 30 + EPSILON
        for code, value in zip(codes[:, c], column, strict=True):
            slope = float(gamma[c]) / 2**24 / math.sqrt(variance)
            wanted = (slope * float(value - mean) + float(beta[c]) / 2**24) * 2.0**y.frac_bits
            allowed = 1.6 + abs(slope * float(value - mean)) * 2.0**y.frac_bits / 2 ** (word_bits - 1)
            assert abs(int(code) - wanted) <= allowed


@pytest.mark.parametrize("rounding", [Rounding.HALF_EVEN, Rounding.FLOOR])
def test_forward_codes_are_those_of_plain_integers(rounding):
    random = np.random.default_rng(3)
    x = random.integers(-3000, 9000, (50, 3)).astype(np.int16)
    unit = FixedUnit(16, rounding)
    y, kept = unit.normalize_batch(tensor(x, 10), tensor([1 << 14, -9000, 77], 14), tensor([5, -3000, 0], 12), EPSILON)
    factors, shifts, addends = np.zeros((3, 3), np.int64)
    frac_bits = normalization.forward_coefficients.py_func(
        kept.sums, 50, kept.roots, kept.points, kept.low, kept.high,
        np.array([1 << 14, -9000, 77]), 14, np.array([5, -3000, 0]), 12, 15, factors, shifts, addends,
    )  # fmt: skip
    assert frac_bits == y.frac_bits
    for row, codes in zip(x.tolist(), unit.array(y).tolist(), strict=True):
        for c, code in enumerate(row):
            exact = Fraction(code * int(factors[c]), 2 ** int(shifts[c]))
            wanted = oracle.round_fraction(exact, rounding) + int(addends[c])
            assert codes[c] == min(max(wanted, -32767), 32767)


@pytest.mark.parametrize(
    ("n", "t"), [(1, 1), (1, 2), (3, 2**60), (2**29 - 1, 7), (2**30, 2**59 + 12345), (10**9, 10**9 + 1)]
)
def test_root_of_a_ratio(n, t):
    root, point = normalization.root_of_ratio(n, t)
    exact = Fraction(n, t) * Fraction(4) ** point
    # 31 bits of the divisor and a floor
    assert (root - 2) ** 2 <= exact <= (root + 2) ** 2
    assert root.bit_length() >= 30


def test_batch_statistics_are_exact_sums():
    random = np.random.default_rng(4)
    x = random.integers(-32767, 32768, (40, 7, 3)).astype(np.int16)
    unit = FixedUnit()
    one = tensor([2**14] * 3, 14)
    _, kept = unit.normalize_batch(tensor(x, 9), one, one, EPSILON)
    rows = x.reshape(-1, 3).astype(object)
    assert kept.sums.tolist() == rows.sum(0).tolist()
    for c in range(3):
        deviation = sum((Fraction(v) - Fraction(rows[:, c].sum(), 280)) ** 2 for v in rows[:, c])
        assert abs(kept.deviations[c] - deviation) <= 1
        assert abs(Fraction(int(unit.array(kept.variance())[c]), 2**8) - deviation / 279) <= Fraction(1, 128)


def test_integer_gradient_is_near_the_exact_one():
    random = np.random.default_rng(5)
    x = random.standard_normal((8, 5, 5, 4)) * [0.1, 1, 8, 3] + [3, 0, -5, 0.1]
    gamma, beta, error = (
        random.standard_normal(4) + 1,
        random.standard_normal(4),
        1e-4 * random.standard_normal(x.shape),
    )
    fixed, reference = FixedUnit(), ReferenceUnit()
    results = []
    for unit in (fixed, reference):
        parts = [
            unit.load(np.rint(np.ldexp(a, f)).astype(np.int64), f)
            for a, f in ((x, 10), (gamma, 24), (beta, 24), (error, 26))
        ]
        y, kept = unit.normalize_batch(*parts[:3], EPSILON)
        results.append([unit.read(v) for v in (y, *unit.normalize_gradient(parts[3], parts[1], kept))])
    for got, wanted in zip(*results, strict=True):
        assert np.abs(got - wanted).max() <= 2e-4 * np.abs(wanted).max()


def test_float_unit_agrees_with_the_reference():
    random = np.random.default_rng(6)
    x, error = random.standard_normal((2, 16, 4, 4, 3))
    gamma, beta = random.standard_normal((2, 3))
    results = []
    for unit in (FloatUnit(), ReferenceUnit()):
        load = [unit.load(a.astype(np.float32), None) for a in (x, gamma, beta, error)]
        y, kept = unit.normalize_batch(*load[:3], EPSILON)
        results.append([unit.read(v) for v in (y, *unit.normalize_gradient(load[3], load[1], kept), kept.variance())])
    for got, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-6 * np.abs(wanted).max())


def test_constant_columns_and_zero_scales_survive():
    unit = FixedUnit()
    x = np.zeros((9, 3), np.int16)
    x[:, 1] = 1234
    x[:, 2] = np.arange(9)
    for gamma in ([0, 0, 0], [2**14, 2**14, 0]):
        y, kept = unit.normalize_batch(tensor(x, 8), tensor(gamma, 14), tensor([64, -64, 0], 6), EPSILON)
        np.testing.assert_allclose(unit.read(y), np.tile([1, -1, 0], (9, 1)), atol=1e-3)
        parts = unit.normalize_gradient(tensor(x, 20), tensor(gamma, 14), kept)
        assert all(np.isfinite(unit.read(v)).all() for v in parts)


def test_column_sums_do_not_depend_on_threads():
    random = np.random.default_rng(7)
    x, g = random.integers(-32768, 32768, (2, 700, 37)).astype(np.int16)
    found = []
    for count in (1, 3):
        set_threads(count)
        found.append([a.tolist() for a in (*column_moments(x), *column_products(g, x))])
    set_threads(2)
    wide_x, wide_g = x.astype(np.int64), g.astype(np.int64)
    assert found[0] == found[1]
    assert found[0] == [
        a.tolist()
        for a in (
            wide_x.sum(0), (wide_x**2).sum(0), wide_x.min(0), wide_x.max(0),
            wide_g.sum(0), (wide_g * wide_x).sum(0), np.abs(wide_g).max(0),
        )
    ]  # fmt: skip
