"""Products of codes: exact, with zero points, and refused where a method cannot have them."""

import numpy as np
import pytest

from fxpsim.array import Scale
from fxpsim.errors import UserError
from fxpsim.numerics import FixedFormat, RandomBits
from fxpsim.quantizers import (
    DynastyBlocks,
    Encoded,
    Linear,
    LogarithmicCodes,
    PowerOfTwoHadamard,
    PowerOfTwoRows,
    StatQuantBHQ,
    StatQuantPSQ,
    StatQuantPTQ,
    affine_matmul,
    contract,
    transposed,
)

RANDOM = RandomBits(seed=4)


def by_integers(a, b, z, y):
    rows, columns, terms = len(a), len(b[0]), len(b)
    return [
        [sum((int(a[m][k]) - z[m]) * (int(b[k][n]) - y[n]) for k in range(terms)) for n in range(columns)]
        for m in range(rows)
    ]


@pytest.mark.parametrize(("left", "right"), [(np.uint8, np.uint8), (np.int8, np.uint8), (np.uint16, np.int16)])
def test_zero_points_are_exact(left, right):
    rng = np.random.default_rng(1)
    a = rng.integers(np.iinfo(left).min, np.iinfo(left).max, (5, 33), endpoint=True).astype(left)
    b = rng.integers(np.iinfo(right).min, np.iinfo(right).max, (33, 4), endpoint=True).astype(right)
    z = rng.integers(-300, 300, 5)
    y = rng.integers(-300, 300, 4)
    assert affine_matmul(a, b, a_zero=z, b_zero=y).tolist() == by_integers(a, b, z.tolist(), y.tolist())
    assert affine_matmul(a, b, a_zero=7).tolist() == by_integers(a, b, [7] * 5, [0] * 4)
    assert affine_matmul(a, b, b_zero=-7).tolist() == by_integers(a, b, [0] * 5, [-7] * 4)


def test_sums_beyond_binary64_are_exact():
    a = np.full((1, 9), 2**28 - 1, np.int64)
    assert affine_matmul(a, a.T.copy(), a_zero=-1, b_zero=3).tolist() == [[9 * 2**28 * (2**28 - 4)]]


def test_refuses_what_63_bits_cannot_hold():
    a = np.full((1, 2), 2**31, np.int64)
    with pytest.raises(UserError, match="63 bits"):
        affine_matmul(a, a.T.copy())
    with pytest.raises(UserError, match="float64"):
        affine_matmul(np.ones((2, 2)), np.ones((2, 2), int))
    with pytest.raises(UserError, match="2 of them"):
        affine_matmul(np.ones((2, 2), int), np.ones((2, 2), int), a_zero=[1, 2, 3])


@pytest.mark.parametrize(
    "quantizer",
    [
        StatQuantPTQ(),
        StatQuantPTQ(zero_aligned=False),
        StatQuantPSQ(),
        StatQuantBHQ(),
        PowerOfTwoRows(),
        PowerOfTwoHadamard(),
    ],
)
def test_contract_is_the_product_of_the_values(quantizer):
    rng = np.random.default_rng(2)
    error = (rng.standard_normal((9, 12)) * np.exp(rng.standard_normal((9, 1)) * 2)).astype(np.float32)
    weight = rng.standard_normal((12, 7)).astype(np.float32)
    a = quantizer.encode(error, bits=6, random=RANDOM)
    for b in (
        StatQuantPTQ(rounding="half_even").encode(weight, bits=8),
        StatQuantPTQ(rounding="half_even", zero_aligned=False).encode(weight, bits=8),
        transposed(StatQuantPSQ(rounding="half_even").encode(weight.T.copy(), bits=8)),  # per output channel
    ):
        expected = a.value @ b.value
        assert np.allclose(contract(a, b), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def test_power_of_two_codes_contract_exactly():
    x = np.arange(12, dtype=np.float32).reshape(3, 4) - 5
    a = PowerOfTwoRows(rounding="half_even").encode(x, bits=8)
    assert np.array_equal(contract(a, transposed(a)), a.value @ a.value.T)


def test_rows_cannot_be_contracted():
    x = np.random.default_rng(3).standard_normal((6, 5)).astype(np.float32)
    rows = StatQuantPSQ().encode(x, bits=8, random=RANDOM)
    whole = StatQuantPTQ().encode(x, bits=8, random=RANDOM)
    contract(rows, transposed(rows))
    with pytest.raises(UserError, match="step of a varies along K"):
        contract(transposed(rows), whole)
    with pytest.raises(UserError, match="step of b varies along K"):
        contract(transposed(whole), rows)
    mixed = StatQuantBHQ().encode(x, bits=8, random=RANDOM)
    with pytest.raises(UserError, match="were mixed"):
        contract(transposed(whole), mixed)
    with pytest.raises(UserError, match="no transform of the rows"):
        transposed(mixed)


def test_other_readings_are_refused():
    x = np.ones((4, 4), np.float32)
    log = LogarithmicCodes().encode(x, bits=8)
    with pytest.raises(UserError, match="evenly spaced"):
        contract(log, log)
    image = StatQuantPTQ(rounding="half_even").encode(np.ones((2, 2, 2), np.float32), bits=8)
    with pytest.raises(UserError, match="a matrix"):
        contract(image, image)


def test_offsets_and_zero_points_together():
    reading = Linear(scale=Scale(step=np.array([[0.5], [2.0]]), zero_point=np.array([[3], [4]])), offset=0.25)
    word = FixedFormat(word_bits=8, frac_bits=0, signed=False)
    a = Encoded(codes=np.array([[1, 2, 9], [4, 0, 7]]), format=word, reading=reading, error_share=0.5)
    b = transposed(a)
    assert np.array_equal(contract(a, b), a.value @ a.value.T)


def test_qtensor_where_a_qtensor_can_say_it():
    x = np.array([[0.5, -1.0], [2.0, 3.0]], np.float32)
    aligned = StatQuantPTQ(rounding="half_even").encode(x, bits=8)
    assert np.array_equal(aligned.qtensor().value, aligned.value)
    blocks = DynastyBlocks().encode(x, bits=6)
    assert np.array_equal(blocks.qtensor().value, blocks.value)
    with pytest.raises(UserError, match="transform or an offset"):
        StatQuantPSQ(rounding="half_even").encode(x, bits=8).qtensor()
