"""Layers: gradients with respect to input and parameters by central differences, and agreement of the arithmetics."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim import nn
from fxpsim.accelerator import load as load_accelerator
from fxpsim.autodiff import Engine, Tensor, ops
from fxpsim.autodiff.check import check_gradient, reference_engine
from fxpsim.numerics import FixedFormat, RandomBits, Rounding
from fxpsim.quantizers import FixedPoint
from fxpsim.units import FixedUnit, FloatUnit, MacArray
from fxpsim.units.update import FixedUpdate, FloatUpdate

random = np.random.default_rng(8)

LAYERS = {
    "linear over positions": (lambda: nn.Linear(4, 3), (2, 3, 4)),
    "batch norm": (lambda: nn.BatchNorm(4), (6, 4)),
    "layer norm": (lambda: nn.LayerNorm(6), (2, 3, 6)),
    "layer norm without bias": (lambda: nn.LayerNorm(6, bias=False), (4, 6)),
    "group norm": (lambda: nn.GroupNorm(2, 6), (2, 3, 2, 6)),
    "transposed conv": (
        lambda: nn.ConvTranspose2d(3, 2, kernel=3, stride=2, padding=1, output_padding=1),
        (2, 3, 4, 3),
    ),
    "attention": (lambda: nn.MultiHeadAttention(8, 2), (2, 4, 8)),
    "causal attention": (lambda: nn.MultiHeadAttention(8, 2, causal=True), (1, 5, 8)),
    "rnn": (lambda: nn.RNN(3, 4), (2, 3, 3)),
    "lstm": (lambda: nn.LSTM(3, 4), (2, 3, 3)),
    "gru": (lambda: nn.GRU(3, 4), (2, 3, 3)),
    "dropout": (lambda: nn.Dropout(0.3), (5, 6)),
}


def start(layer: nn.Module) -> list[np.ndarray]:
    values = []
    for index, parameter in enumerate(layer.parameters()):
        drawn = parameter.initializer(parameter.shape, RandomBits(seed=1, stream=index))
        values.append(drawn + 0.1 * random.standard_normal(parameter.shape))
    return values


@pytest.mark.parametrize("name", LAYERS)
def test_gradient(name):
    build, shape = LAYERS[name]
    layer = build().bind("layer")

    def function(x, *parameters):
        for parameter, tensor in zip(layer.parameters(), parameters, strict=True):
            parameter.tensor = tensor
        return layer(x)

    check_gradient(function, random.standard_normal(shape), *start(layer), tolerance=3e-6)


class Sixteen:
    """Precision for a comparison: 16-bit operands everywhere."""

    def quantizer(self, layer, stream):
        return FixedPoint(word_bits=16)

    def record(self, layer, stream, fmt, counts):
        pass

    def key(self, layer, stream):
        return 0, 0

    def __getattr__(self, name):
        return lambda *labels: None


def run(name: str, arithmetic: str) -> np.ndarray:
    build, shape = LAYERS[name]
    layer = build().bind("layer")
    accelerator = load_accelerator("int8_all_integer")
    if arithmetic == "fixed":
        accelerator = accelerator.with_set("mac_array.accumulator.word_bits", 48)
        engine = Engine(MacArray(accelerator), FixedUnit(), Sixteen())
        update = FixedUpdate(FixedFormat.parse("s32f24"), FixedFormat.parse("s32f24"), Rounding.HALF_EVEN)
    elif arithmetic == "float":
        engine, update = Engine(MacArray(accelerator), FloatUnit()), FloatUpdate()
    else:
        engine, update = reference_engine(), FloatUpdate()
    for index, parameter in enumerate(layer.parameters()):
        master = update.create(parameter.initializer(parameter.shape, RandomBits(seed=1, stream=index)))
        value = engine.vector.load(master.weights, master.frac_bits)
        parameter.tensor = Tensor(engine, value, requires_grad=True)
    codes = np.random.default_rng(3).integers(-2000, 2000, shape).astype(np.int16)
    x = Tensor(engine, engine.vector.load(codes, 10), requires_grad=True)
    y = layer(x)
    target = np.random.default_rng(4).integers(-300, 300, y.shape).astype(np.int16)
    loss = ops.mean_squared_error(y, engine.tensor(target, 8))
    gradients = loss.backward()
    return [y.read(), gradients[id(x)].read(), *(gradients[id(p.tensor)].read() for p in layer.parameters())]


@pytest.mark.parametrize("name", ["layer norm", "group norm", "transposed conv", "causal attention", "lstm", "gru"])
def test_the_units_agree(name):
    exact = run(name, "reference")
    for arithmetic, tolerance in (("float", 2e-5), ("fixed", 1e-2)):
        for got, wanted in zip(run(name, arithmetic), exact, strict=True):
            # the bias of the keys has no influence: its gradient is 0 but for roundings
            size = max(np.abs(wanted).max(), 1e-2 * np.abs(exact[1]).max())
            assert np.abs(got - wanted).max() <= tolerance * size


def test_group_norm_is_the_formula():
    engine = reference_engine()
    layer = nn.GroupNorm(2, 6).bind()
    layer.gamma.tensor, layer.beta.tensor = engine.tensor(np.ones(6)), engine.tensor(np.zeros(6))
    x = random.standard_normal((3, 4, 5, 6))
    groups = x.reshape(3, 20, 2, 3)
    mean, variance = groups.mean((1, 3), keepdims=True), groups.var((1, 3), keepdims=True)
    wanted = ((groups - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape)
    np.testing.assert_allclose(layer(engine.tensor(x)).read(), wanted, atol=1e-12)


def test_lstm_is_the_recurrence():
    engine = reference_engine()
    layer = nn.LSTM(2, 3).bind()
    w, b, u = (random.standard_normal(shape) for shape in ((2, 12), (12,), (3, 12)))
    layer.inputs.weight.tensor, layer.inputs.bias.tensor = engine.tensor(w), engine.tensor(b)
    layer.state.weight.tensor = engine.tensor(u)
    x = random.standard_normal((2, 4, 2))

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    h, c, states = np.zeros((2, 3)), np.zeros((2, 3)), []
    for t in range(4):
        i, f, g, o = np.split(x[:, t] @ w + b + h @ u, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    np.testing.assert_allclose(layer(engine.tensor(x)).read(), np.stack(states, 1), atol=1e-12)


def test_attention_is_the_formula():
    engine = reference_engine()
    layer = nn.MultiHeadAttention(6, 2, causal=True, bias=False).bind()
    q, k, v, o = (random.standard_normal((6, 6)) for _ in range(4))
    for part, value in ((layer.query, q), (layer.key, k), (layer.value, v), (layer.output, o)):
        part.weight.tensor = engine.tensor(value)
    x = random.standard_normal((2, 5, 6))
    heads = []
    for head in (slice(0, 3), slice(3, 6)):
        scores = (x @ q)[..., head] @ (x @ k)[..., head].transpose(0, 2, 1) / np.sqrt(3)
        scores = np.where(np.tri(5, dtype=bool), scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        heads.append(shares / shares.sum(-1, keepdims=True) @ (x @ v)[..., head])
    np.testing.assert_allclose(layer(engine.tensor(x)).read(), np.concatenate(heads, -1) @ o, atol=1e-9)


def test_embedding_looks_up_and_adds_back():
    engine = Engine(None, FloatUnit())
    layer = nn.Embedding(5, 2).bind()
    table = np.arange(10.0).reshape(5, 2)
    layer.table.tensor = Tensor(engine, engine.vector.load(table, None), requires_grad=True)
    y = layer(engine.tensor(np.array([[1, 1], [4, 0]], np.int32), 0))
    assert y.read().tolist() == table[[[1, 1], [4, 0]]].tolist()
    loss = ops.mean_squared_error(y, engine.tensor(np.zeros((2, 2, 2))))
    counts = np.array([1, 2, 0, 0, 1])
    np.testing.assert_allclose(loss.backward()[id(layer.table.tensor)].read(), table * counts[:, None] / 4, rtol=1e-6)


def test_dropout_passes_everything_on_in_inference():
    engine = reference_engine()
    x = engine.tensor(random.standard_normal((4, 5)))
    with engine.inference():
        assert nn.Dropout(0.5)(x) is x


@pytest.mark.parametrize(
    "build", [lambda: nn.Dropout(1.0), lambda: nn.GroupNorm(4, 6), lambda: nn.MultiHeadAttention(10, 3)]
)
def test_wrong_sizes_are_refused(build):
    with pytest.raises(ValueError, match=r"share|groups|heads"):
        build()


def test_heads_are_scaled_by_a_rational():
    from fxpsim.nn.attention import _inverse_root

    assert _inverse_root(64) == Fraction(1, 8)
    assert abs(float(_inverse_root(32)) - 32**-0.5) < 1e-12
