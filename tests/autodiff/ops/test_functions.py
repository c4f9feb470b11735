"""Functions, moves and products: gradients by central differences, integers by exact rationals, floats by scipy."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import special

from fxpsim.autodiff import ops
from fxpsim.autodiff.check import check_gradient, reference_engine
from fxpsim.kernels.curves import Curve
from fxpsim.units import FixedUnit, FloatUnit
from fxpsim.units.graph import leaf
from fxpsim.units.reference import ReferenceUnit
from fxpsim.units.values import Value

random = np.random.default_rng(21)
IDS = np.array([[0, 2, 2], [4, 0, 1]])
KEY = (123, 456)


def streams(function, **attributes):
    return lambda a, b: function(ops.cast(a, stream="activation"), ops.cast(b, stream="weight"), **attributes)


CASES = {
    "subtract": (ops.subtract, (3, 4), (3, 4)),
    "subtract a row": (ops.subtract, (3, 4), (4,)),
    "multiply": (ops.multiply, (3, 4), (3, 4)),
    "multiply by a row": (ops.multiply, (2, 3, 4), (4,)),
    "clip": (lambda x: ops.clip(x, low=Fraction(-1, 2), high=Fraction(3, 4)), (5, 6)),
    "relu6": (lambda x: ops.relu6(ops.scale(x, factor=Fraction(9))), (5, 6)),
    "leaky": (ops.leaky_relu, (5, 6)),
    "sigmoid": (ops.sigmoid, (5, 6)),
    "tanh": (ops.tanh, (5, 6)),
    "gelu": (ops.gelu, (5, 6)),
    "silu": (ops.silu, (5, 6)),
    "density": (lambda x: ops.curve(x, kind=Curve.NORMAL_DENSITY), (5, 6)),
    "softmax": (ops.softmax, (2, 3, 4)),
    "causal softmax": (lambda x: ops.softmax(x, causal=True), (2, 4, 4)),
    "dropout": (lambda x: ops.dropout(x, threshold=2**31, key=KEY), (5, 6)),
    "transpose": (lambda x: ops.transpose(x, axes=(2, 0, 1)), (2, 3, 4)),
    "concatenate": (lambda a, b: ops.concatenate([a, b, a], axis=1), (2, 3, 4), (2, 2, 4)),
    "take": (lambda x: ops.take(x, index=(slice(None), slice(1, None, 2))), (3, 6)),
    "pad": (lambda x: ops.pad(x, widths=((1, 0), (2, 3))), (3, 4)),
    "embedding": (lambda t: ops.embedding(t, ids=IDS), (5, 4)),
    "normalize rows": (lambda x: ops.normalize_rows(x, epsilon=Fraction(1, 1000)), (2, 3, 8)),
    "global average": (ops.global_average_pool, (2, 3, 3, 4)),
    "batched matmul": (streams(ops.batched_matmul), (3, 2, 4), (3, 4, 5)),
    "batched matmul, transposed": (streams(ops.batched_matmul, transpose_b=True), (3, 2, 4), (3, 5, 4)),
    "transposed conv": (
        streams(ops.conv2d_transpose, output_shape=(2, 6, 6, 2), stride=2, padding=1, dilation=1),
        (2, 3, 3, 3),
        (4, 4, 2, 3),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient(name):
    function, *shapes = CASES[name]
    inputs = []
    for shape in shapes:
        grid = random.permutation(np.arange(1, np.prod(shape) + 1)).reshape(shape) / np.prod(shape) + 0.003
        inputs.append(grid * random.choice([-1.0, 1.0], shape))
    check_gradient(function, *inputs, tolerance=2e-6)


@pytest.mark.parametrize("smoothing", [Fraction(0), Fraction(1, 10)])
def test_cross_entropy_of_pixels_has_the_gradient_of_its_loss(smoothing):
    x, labels = random.standard_normal((2, 3, 4)), random.integers(0, 4, (2, 3))
    engine = reference_engine()

    def loss(values):
        result = ops.softmax_cross_entropy(engine.tensor(values), labels, smoothing=smoothing)
        return float(result.total) / result.samples, result.grad.read().reshape(x.shape)

    value, gradient = loss(x)
    target = (1 - float(smoothing)) * np.eye(4)[labels] + float(smoothing) / 4
    assert abs(value + (target * special.log_softmax(x, -1)).sum(-1).mean()) < 1e-12
    direction = random.standard_normal(x.shape)
    measured = (loss(x + 1e-5 * direction)[0] - loss(x - 1e-5 * direction)[0]) / 2e-5
    assert abs(measured - (gradient * direction).sum()) < 1e-8


def test_mean_squared_error():
    engine = reference_engine()
    x, target = random.standard_normal((2, 3, 4))
    result = ops.mean_squared_error(engine.tensor(x), engine.tensor(target))
    assert abs(float(result.total) / result.samples - ((x - target) ** 2).mean()) < 1e-12
    np.testing.assert_allclose(result.grad.read(), 2 * (x - target) / 12)


def tensor(codes, frac_bits: int) -> Value:
    codes = np.asarray(codes)
    return Value(leaf(codes), frac_bits, int(np.abs(codes).max()))


@pytest.mark.parametrize("kind", list(Curve))
@pytest.mark.parametrize("frac_bits", [-3, 4, 8, 11, 14, 22])
def test_integer_curves_are_right_to_a_unit(kind, frac_bits):
    unit, reference = FixedUnit(), ReferenceUnit()
    codes = np.arange(-32767, 32768, 5).astype(np.int16)
    exact = reference.curve(reference.load(codes, frac_bits), kind).array * 2**15
    got = unit.array(unit.curve(tensor(codes, frac_bits), kind))
    assert np.abs(got - np.clip(exact, -32767, 32767)).max() <= 1.001


@pytest.mark.parametrize("kind", list(Curve))
def test_float_curves_are_near_scipy(kind):
    x = np.concatenate([np.linspace(-12, 12, 20001), [0, 1e-20, -1e-6, 90, -90]]).astype(np.float32)
    unit, reference = FloatUnit(), ReferenceUnit()
    exact = reference.curve(reference.load(x, None), kind).array
    assert np.abs(unit.read(unit.curve(unit.load(x, None), kind)) - exact).max() < 1.6e-7


@pytest.mark.parametrize("causal", [False, True])
def test_softmax_of_integers(causal):
    codes = random.integers(-3000, 3000, (3, 5, 5))
    unit, reference = FixedUnit(), ReferenceUnit()
    shares = unit.softmax(tensor(codes.astype(np.int16), 9), causal=causal)
    exact = reference.softmax(reference.load(codes, 9), causal=causal)
    np.testing.assert_allclose(unit.read(shares), np.minimum(exact.array, 32767 / 32768), atol=1.2 / 32768)
    if causal:
        assert (unit.read(shares)[:, 0, 1:] == 0).all()
    # the gradient, from the very shares, by plain integers
    g = random.integers(-9000, 9000, (3, 5, 5))
    got = unit.softmax_gradient(tensor(g.astype(np.int16), 20), shares)
    p = unit.array(shares).astype(object)
    mean = ((g.astype(object) * p).sum(-1, keepdims=True) + 2**14) // 2**15
    wanted = p * (g - mean)
    shift = 35 - got.frac_bits
    assert [Fraction(int(c)) for c in unit.array(got).ravel()] == [round(Fraction(w, 2**shift)) for w in wanted.ravel()]


def test_float_softmax_is_near_scipy():
    x = random.standard_normal((4, 6, 9)).astype(np.float32) * 5
    unit, reference = FloatUnit(), ReferenceUnit()
    for causal in (False, True):
        got = unit.read(unit.softmax(unit.load(x, None), causal=causal))
        np.testing.assert_allclose(got, reference.softmax(reference.load(x, None), causal=causal).array, atol=3e-7)


def test_integer_rows_are_normalized():
    codes = (random.integers(-900, 900, (6, 40)) * np.array([[1], [3], [10], [1], [30], [2]]) + 100).astype(np.int16)
    error = random.integers(-9000, 9000, codes.shape).astype(np.int16)
    results = []
    for unit in (FixedUnit(), ReferenceUnit(), FloatUnit()):
        fixed = isinstance(unit, FixedUnit)
        x, g = (tensor(c, f) if fixed else unit.load(c, f) for c, f in ((codes, 8), (error, 20)))
        y, kept = unit.normalize_rows(x, Fraction(1, 10**5))
        results.append((unit.read(y), unit.read(unit.normalize_rows_gradient(g, kept))))
    for fixed, exact, floating in zip(*results, strict=True):
        size = np.abs(exact).max()
        assert np.abs(fixed - exact).max() < 2e-4 * size
        assert np.abs(floating - exact).max() < 1e-5 * size


def test_concatenated_integers_meet_at_one_binary_point():
    unit = FixedUnit()
    a, b = tensor(np.array([[32767, -5]], np.int16), 4), tensor(np.array([[1, 32001]], np.int16), 9)
    joined = unit.concatenate([a, b], 1)
    assert joined.frac_bits == 4
    assert unit.array(joined).tolist() == [[32767, -5, 0, 1000]]


def test_scattered_integers_add_exactly():
    unit = FixedUnit()
    g = random.integers(-30000, 30000, (200, 3))
    ids = random.integers(0, 4, 200)
    got = unit.scatter_add(tensor(g.astype(np.int16), 10), ids, 4)
    exact = [[Fraction(int(sum(g[ids == r, c])), 2**10) for c in range(3)] for r in range(4)]
    step = Fraction(1) / Fraction(2) ** got.frac_bits
    for row, wanted in zip(unit.array(got).tolist(), exact, strict=True):
        assert [code * step for code in row] == [round(w / step) * step for w in wanted]


def test_dropout_is_the_same_in_every_unit():
    x = np.arange(1, 4001).reshape(40, 100)
    units = FixedUnit(), FloatUnit(), ReferenceUnit()
    kept = [unit.read(unit.dropout(unit.load(x.astype(np.int16), 0), 2**30, KEY)) for unit in units]
    assert (kept[0] == kept[1]).all()
    assert (kept[1] == kept[2]).all()
    assert abs((kept[0] != 0).mean() - 0.75) < 0.03
    assert set(np.unique(kept[0] / x)) == {0.0, 1.0}
