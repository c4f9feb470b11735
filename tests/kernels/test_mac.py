"""The MAC array against the specification: every lane, every operation, product by product in plain Python."""

from itertools import product

import numpy as np
import pytest
from mac_oracle import run as oracle

from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.kernels.mac import MacSpec
from fxpsim.kernels.random import random_word
from fxpsim.numerics import Rounding

SPECS = {
    "wide": MacSpec(),
    "wrap": MacSpec(word_bits=15),
    "wrap_sign_magnitude": MacSpec(word_bits=15, overflow="wrap_sign_magnitude"),
    "saturate": MacSpec(word_bits=16, overflow="saturate"),
    "symmetric": MacSpec(word_bits=17, overflow="saturate_symmetric"),
    "zero": MacSpec(word_bits=16, overflow="saturate_zero"),
    "raise": MacSpec(word_bits=16, overflow="raise"),
    "unsigned": MacSpec(word_bits=14, signed=False, overflow="saturate"),
    "chunked": MacSpec(word_bits=15, overflow="saturate", order="chunked", chunk=4),
    "odd_chunks": MacSpec(word_bits=16, overflow="saturate_zero", order="chunked", chunk=5),
    "rounded": MacSpec(word_bits=12, overflow="saturate", product_shift=4, rounding="half_even"),
    "jam": MacSpec(word_bits=12, product_shift=5, rounding="jam", order="chunked", chunk=3),
    "shifted_left": MacSpec(word_bits=20, product_shift=-3),
}

WINDOWS = {
    "3x3": ((3, 3), {"padding": 1}),
    "stride": ((3, 3), {"stride": 2, "padding": ((1, 0), (2, 1))}),
    "dilated_groups": ((2, 3), {"stride": (2, 1), "padding": (1, 2), "dilation": (2, 1), "groups": 2}),
    "depthwise": ((3, 2), {"stride": (1, 2), "padding": 1, "groups": 4}),
    "1x1": ((1, 1), {}),
}


def codes(rng: np.random.Generator, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform codes with many extremes among them."""
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    extremes = rng.choice(np.array([info.min, info.max], dtype), shape)
    return np.where(rng.random(shape) < 0.3, extremes, values)


def bound(dtype: type) -> int:
    """Largest magnitude of a type's codes."""
    return max(-int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


def check(result: mac.MacResult, expected: tuple[np.ndarray, int, int]) -> None:
    wanted, overflowed, max_abs = expected
    np.testing.assert_array_equal(result.codes, wanted)
    assert (result.overflowed, result.max_abs) == (overflowed, max_abs)


def pair(value):
    return (value, value) if isinstance(value, int) else value


def normalized(window: dict) -> tuple:
    padding = pair(window.get("padding", 0))
    return (
        pair(window.get("stride", 1)),
        (pair(padding[0]), pair(padding[1])),
        pair(window.get("dilation", 1)),
        window.get("groups", 1),
    )


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_convolution_and_gradients(spec, window):
    size, options = window
    rng = np.random.default_rng(7)
    x = codes(rng, np.uint8, (2, 5, 4, 4))
    w = codes(rng, np.int8, (*size, 4 // options.get("groups", 1), 4))
    result = mac.conv2d(x, w, spec, **options, x_bound=255, w_bound=128)
    shape = result.codes.shape
    check(result, oracle("forward", x, w, shape, normalized(options), spec))
    e = codes(rng, np.int8, shape)
    result = mac.conv2d_input_grad(e, w, spec, input_shape=x.shape, **options, e_bound=128, w_bound=128)
    check(result, oracle("input_grad", e, w, x.shape, normalized(options), spec))
    result = mac.conv2d_weight_grad(x, e, spec, kernel_shape=w.shape, **options, x_bound=255, e_bound=128)
    check(result, oracle("weight_grad", x, e, w.shape, normalized(options), spec))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_matmul_with_transposed_operands(spec):
    rng = np.random.default_rng(3)
    a, b = codes(rng, np.int8, (5, 21)), codes(rng, np.int8, (21, 13))
    expected = oracle("matmul", a, b, (5, 13), None, spec)
    for ta, tb in product((False, True), repeat=2):
        left, right = (a.T.copy() if ta else a), (b.T.copy() if tb else b)
        result = mac.matmul(left, right, spec, a_bound=128, b_bound=128, transpose_a=ta, transpose_b=tb)
        check(result, expected)


TYPES = [(np.uint8, np.uint8), (np.int8, np.int16), (np.int16, np.int16), (np.uint16, np.int16), (np.int32, np.int32)]
WIDE_SPECS = [
    MacSpec(word_bits=32),
    MacSpec(word_bits=64),
    MacSpec(word_bits=24, overflow="saturate"),
    MacSpec(word_bits=48, overflow="saturate"),
    MacSpec(word_bits=64, overflow="saturate"),
    MacSpec(word_bits=63, signed=False, overflow="saturate"),
]


@pytest.mark.parametrize("types", TYPES, ids=lambda t: f"{t[0].__name__}_{t[1].__name__}")
@pytest.mark.parametrize("spec", WIDE_SPECS, ids=lambda s: f"{s.overflow}{s.word_bits}")
def test_every_pair_of_types(types, spec):
    rng = np.random.default_rng(11)
    a, b = codes(rng, types[0], (4, 27)), codes(rng, types[1], (27, 13))
    result = mac.matmul(a, b, spec, a_bound=bound(types[0]), b_bound=bound(types[1]))
    check(result, oracle("matmul", a, b, (4, 13), None, spec))


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", [0, 3, 20])
def test_product_rounding(rounding, shift):
    rng = np.random.default_rng(5)
    spec = MacSpec(word_bits=14, overflow="saturate", product_shift=shift, rounding=rounding, key0=123, key1=0xFFFFFFF0)
    a, b = codes(rng, np.int8, (2, 7)), codes(rng, np.int8, (7, 3))

    def word(index: tuple[int, int], k: int) -> int:
        return int(random_word((index[0] * 3 + index[1]) * 7 + k, spec.key0, spec.key1))

    result = mac.matmul(a, b, spec, a_bound=128, b_bound=128)
    check(result, oracle("matmul", a, b, (2, 3), None, spec, word))


@pytest.mark.parametrize(("m", "k", "n"), [(0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 1, 1), (1, 300, 1), (33, 1, 65)])
def test_extreme_shapes(m, k, n):
    rng = np.random.default_rng(1)
    a, b = codes(rng, np.int8, (m, k)), codes(rng, np.int8, (k, n))
    for spec in (MacSpec(), MacSpec(word_bits=18, overflow="saturate")):
        result = mac.matmul(a, b, spec, a_bound=128, b_bound=128)
        assert result.codes.shape == (m, n)
        if spec.word_bits == 32:
            np.testing.assert_array_equal(result.codes, a.astype(np.int64) @ b.astype(np.int64))


def test_the_result_type_holds_the_codes():
    one = np.ones((1, 1), np.int8)
    types = [MacSpec(word_bits=32), MacSpec(word_bits=33), MacSpec(word_bits=32, signed=False)]
    found = [mac.matmul(one, one, spec, a_bound=1, b_bound=1).codes.dtype for spec in types]
    assert found == [np.int32, np.int64, np.int64]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MacSpec(word_bits=65), "word_bits is 65"),
        (lambda: MacSpec(order="tree"), "order is 'tree'"),
        (lambda: MacSpec(chunk=0), "chunk is 0"),
        (lambda: MacSpec(overflow="saturat"), "did you mean 'saturate'"),
        (lambda: MacSpec(signed=False, overflow="wrap_sign_magnitude"), "unsigned"),
        (lambda: product_of(np.float32), "operand of type float32"),
        (lambda: product_of(np.int64, bound=1 << 40), "2\\^62"),
        (lambda: mac.matmul_float(np.ones((1, 1)), np.ones((1, 1), np.float32)), "both float32 or both float64"),
        (lambda: convolve((1, 4, 4, 3), (3, 3, 2, 4)), "3 input channels"),
        (lambda: convolve((1, 2, 2, 1), (3, 3, 1, 1)), "is empty"),
        (lambda: convolve((1, 4, 4, 1), (3, 3, 1, 1), stride=0), "stride 0"),
    ],
)
def test_mistakes_are_explained(call, message):
    with pytest.raises(UserError, match=message):
        call()


def product_of(dtype: type, bound: int = 1) -> mac.MacResult:
    one = np.ones((1, 1), dtype)
    return mac.matmul(one, one, MacSpec(), a_bound=bound, b_bound=bound)


def convolve(x: tuple[int, ...], w: tuple[int, ...], **window: int) -> mac.MacResult:
    return mac.conv2d(np.ones(x, np.int8), np.ones(w, np.int8), MacSpec(), **window, x_bound=1, w_bound=1)
