"""The shift-and-add variant: exact on integers, its transform undone exactly."""

import numpy as np

from fxpsim.array import QTensor
from fxpsim.numerics import RandomBits
from fxpsim.quantizers import PowerOfTwoHadamard, PowerOfTwoRows
from fxpsim.quantizers.exponents import signed_step_exponents
from fxpsim.quantizers.hadamard import block_hadamard


def rows(seed=0):
    rng = np.random.default_rng(seed)
    return np.round(rng.standard_normal((30, 5)) * 2.0 ** rng.integers(2, 14, (30, 1)))


def test_inverse_is_exact_on_integers():
    for seed in range(5):
        x = rows(seed)
        transform = block_hadamard(x)
        y = transform.apply(x)
        assert (y == np.round(y)).all()
        assert np.array_equal(transform.inverse(y), x)
        assert sorted(np.concatenate(transform.groups).tolist()) == list(range(30))
        assert {len(group).bit_count() for group in transform.groups} == {1}


def test_transform_is_the_hadamard_matrix():
    x = np.zeros((4, 4))
    x[0, 0] = 4096.0
    x[1:, 1:] = np.eye(3)
    transform = block_hadamard(x)
    (group,), (ratio,) = transform.groups, transform.ratios
    matrix = np.ones((1, 1))
    for _ in range(2):
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    scaled = x[group]
    scaled[1:] *= 2**ratio
    assert group.tolist() == [0, 1, 2, 3]
    assert ratio == (2 * 12 + 2) // 6
    assert np.array_equal(transform.apply(x), matrix @ scaled)


def test_integer_rows_are_shifts_of_their_codes():
    codes = rows(3).astype(np.int64)
    encoded = PowerOfTwoRows(rounding="half_even").encode(QTensor(codes, "s20f6"), bits=6)
    for row, out, step in zip(codes, encoded.codes, encoded.reading.scale.step.ravel(), strict=True):
        shift = int(np.log2(step)) + 6
        assert out.tolist() == [round(int(c) / 2**shift) for c in row]
        largest = int(np.abs(row).max())
        assert largest <= 31 * 2**shift
        assert shift == -26 or largest > 31 * 2 ** (shift - 1)


def test_step_exponents_are_least():
    for magnitude in (1.0, 0.9, 3.0, 127.0, 127.00001, 128.0, 1e-30, 1e30):
        exponent = int(signed_step_exponents(np.array([magnitude]), 8)[0])
        assert magnitude <= 127 * 2.0**exponent
        assert magnitude > 127 * 2.0 ** (exponent - 1)


def test_single_rows_are_left_alone():
    x = np.array([[3.0, -2.0]], np.float32)
    mixed = PowerOfTwoHadamard().encode(x, bits=8, random=RandomBits())
    plain = PowerOfTwoRows().encode(x, bits=8, random=RandomBits())
    assert np.array_equal(mixed.codes, plain.codes)
    assert np.array_equal(mixed.value, plain.value)
