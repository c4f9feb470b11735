"""Every op's gradient rule against central differences, and its rows of the workload."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim.autodiff import Tensor, ops
from fxpsim.autodiff.check import check_gradient, reference_engine
from fxpsim.train.counter import WorkloadCounter
from fxpsim.units import Window

random = np.random.default_rng(11)


def away_from_kinks(*shape: int) -> np.ndarray:
    x = random.permutation(np.arange(1, np.prod(shape) + 1)).reshape(shape) / np.prod(shape)
    return x * random.choice([-1.0, 1.0], shape)


def convolve(stride: int, padding: int, dilation: int, groups: int):
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return lambda x, w: ops.conv2d(ops.cast(x, stream="activation"), ops.cast(w, stream="weight"), **geometry)


CASES = {
    "add": (ops.add, (3, 4), (3, 4)),
    "add a bias": (ops.add, (2, 3, 4), (4,)),
    "scale": (lambda x: ops.scale(x, factor=Fraction(-3, 7)), (3, 4)),
    "relu": (ops.relu, (5, 6)),
    "gate": (lambda x: ops.gate(ops.relu(x), x), (5, 6)),
    "reshape": (lambda x: ops.reshape(x, shape=(6, 2)), (3, 4)),
    "flatten": (ops.flatten, (2, 3, 4)),
    "matmul": (lambda a, b: ops.matmul(ops.cast(a, stream="activation"), ops.cast(b, stream="weight")), (3, 4), (4, 5)),
    "max pool": (lambda x: ops.max_pool(x, window=Window(size=(2, 2), stride=(2, 2))), (2, 4, 6, 3)),
    "overlapping max pool": (
        lambda x: ops.max_pool(x, window=Window(size=(3, 3), stride=(2, 2), padding=(1, 1))),
        (2, 5, 6, 2),
    ),
    "average pool": (
        lambda x: ops.average_pool(x, window=Window(size=(2, 3), stride=(1, 2), padding=(1, 0))),
        (2, 5, 7, 2),
    ),
    "conv": (convolve(1, 1, 1, 1), (2, 5, 6, 3), (3, 3, 3, 4)),
    "strided conv": (convolve(2, 1, 1, 1), (2, 6, 5, 2), (3, 3, 2, 3)),
    "dilated conv": (convolve(1, 2, 2, 1), (1, 7, 7, 2), (3, 3, 2, 2)),
    "grouped conv": (convolve(1, 0, 1, 2), (2, 4, 4, 4), (3, 3, 2, 6)),
    "depthwise conv": (convolve(2, 1, 1, 4), (2, 5, 5, 4), (3, 3, 1, 4)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient(name):
    function, *shapes = CASES[name]
    check_gradient(function, *(away_from_kinks(*shape) for shape in shapes))


def test_a_tensor_used_twice_gets_both_gradients():
    check_gradient(lambda x: ops.add(ops.relu(x), ops.scale(x, factor=Fraction(2))), away_from_kinks(4, 3))


def test_a_wrong_gradient_is_found():
    class Wrong(type(ops.relu)):
        def gradient(self, grad, inputs, output, saved):
            return (grad,)

    with pytest.raises(AssertionError, match="central difference"):
        check_gradient(Wrong(), away_from_kinks(4, 3))


def test_cross_entropy_gradient():
    engine = reference_engine()
    x = random.standard_normal((6, 5))
    labels = random.integers(0, 5, 6)

    def loss(values: np.ndarray) -> float:
        return ops.softmax_cross_entropy(engine.tensor(values), labels).total / 6

    logits = Tensor(engine, engine.vector.load(x, None), requires_grad=True)
    gradient = ops.softmax_cross_entropy(logits, labels).backward()[id(logits)].read()
    for place in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-5
        assert gradient[place] == pytest.approx((loss(x + step) - loss(x - step)) / 2e-5, abs=1e-8)


def test_no_gradient_for_what_needs_none():
    engine = reference_engine()
    counter = engine.counter = WorkloadCounter()
    x = engine.tensor(away_from_kinks(1, 4, 4, 2))
    w = Tensor(engine, engine.vector.load(away_from_kinks(3, 3, 2, 3), None), requires_grad=True)
    output = convolve(1, 1, 1, 1)(x, w)
    from fxpsim.autodiff.backward import backward

    gradients = backward(output, engine.tensor(np.ones(output.shape)))
    assert list(gradients) == [id(w)]
    assert [row["pass"] for row in counter.gemms] == ["forward", "weight_grad"]


def test_count_rules_of_convolution_and_matmul():
    engine = reference_engine()
    counter = engine.counter = WorkloadCounter()
    tensors = [
        Tensor(engine, engine.vector.load(np.ones(s), None), requires_grad=True) for s in ((2, 8, 8, 4), (3, 3, 2, 6))
    ]
    from fxpsim.autodiff.backward import backward

    with engine.at(layer="conv"):
        output = convolve(2, 1, 1, 2)(*tensors)
        backward(output, engine.tensor(np.ones(output.shape)))
    rows = {row["pass"]: (row["m"], row["k"], row["n"], row["count"]) for row in counter.gemms}
    assert rows["forward"] == (2 * 4 * 4, 3 * 3 * 2, 3, 2)
    assert rows["weight_grad"] == (3 * 3 * 2, 2 * 4 * 4, 3, 2)
    # stride 2: a quarter of the products of the mirrored convolution, rounded up
    assert rows["input_grad"] == (2 * 8 * 8, -(-3 * 3 * 3 // 4), 2, 2)
    assert {row["layer"] for row in counter.gemms} == {"conv"}
    assert (counter.gemms[0]["a_elements"], counter.gemms[0]["b_elements"], counter.gemms[0]["out_elements"]) == (
        512,
        108,
        192,
    )


def test_count_rule_of_batched_products():
    from fxpsim.autodiff.backward import backward

    engine = reference_engine()
    counter = engine.counter = WorkloadCounter()
    a, b = (Tensor(engine, engine.vector.load(np.ones(s), None), requires_grad=True) for s in ((5, 2, 3), (5, 3, 4)))
    output = ops.batched_matmul(ops.cast(a, stream="activation"), ops.cast(b, stream="weight"))
    backward(output, engine.tensor(np.ones(output.shape)))
    names = ("m", "k", "n", "a_elements", "b_elements", "out_elements", "count")
    rows = {tuple(row[name] for name in names) for row in counter.gemms}
    assert rows == {(2, 3, 4, 30, 60, 40, 5), (2, 4, 3, 40, 60, 30, 5), (3, 2, 4, 30, 40, 60, 5)}
