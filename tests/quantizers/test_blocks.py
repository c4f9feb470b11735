"""Block floating point: the rule in fractions, and exact products of mixed blocks."""

from fractions import Fraction
from itertools import product
from math import frexp

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.numerics import Rounding
from fxpsim.numerics.oracle import round_fraction
from fxpsim.quantizers import BlockFloatingPoint, DynastyBlocks, block_bit_products, block_matmul
from fxpsim.quantizers.contraction import transposed


def spread(shape, seed, octaves=10):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * 2.0 ** rng.integers(-octaves, octaves, shape)).astype(np.float32)


def block_by_fractions(block, bits):
    """Codes and exponent of the step of one block."""
    largest = max(abs(v) for v in block)
    if bits == 0 or largest == 0:
        return [0] * len(block), None
    exponent = frexp(largest)[1] - 1 + 2 - bits
    top = 2 ** (bits - 1) - 1
    codes = [round_fraction(Fraction(v) / Fraction(2) ** exponent, Rounding.HALF_EVEN) for v in block]
    return [min(max(c, -top), top) for c in codes], exponent


@pytest.mark.parametrize("shape", [(8, 8), (5, 9), (1, 3), (6, 7, 2, 3)])
def test_dynasty_tiles_follow_the_rule(shape):
    x = spread(shape, 1)
    rows, columns = -(-shape[0] // 4), -(-shape[1] // 4)
    rng = np.random.default_rng(2)
    bits = rng.choice([0, 2, 4, 6, 8], (rows, columns, *shape[2:]))
    encoded = DynastyBlocks().encode(x, bits=bits)
    for i, j in product(range(rows), range(columns)):
        for rest in np.ndindex(shape[2:]):
            tile = (slice(4 * i, 4 * i + 4), slice(4 * j, 4 * j + 4), *rest)
            codes, exponent = block_by_fractions(x[tile].ravel().tolist(), int(bits[i, j, *rest]))
            assert encoded.codes[tile].ravel().tolist() == codes
            if exponent is not None:
                assert encoded.value[tile].ravel().tolist() == [c * 2.0**exponent for c in codes]
    assert np.array_equal(encoded.reading.scale.word_bits, bits)


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("bits", [8, 6, 4])
def test_blocks_along_an_axis_follow_the_rule(axis, bits):
    x = spread((37, 35), 3)
    encoded = BlockFloatingPoint(block=16, axis=axis).encode(x, bits=bits)
    lines, codes = (x, encoded.codes) if axis else (x.T, encoded.codes.T)
    for line, out in zip(lines.tolist(), codes.tolist(), strict=True):
        for start in range(0, len(line), 16):
            assert out[start : start + 16] == block_by_fractions(line[start : start + 16], bits)[0]


def test_mxint8_example():
    """A block of largest magnitude 1.9 has scale 1: 1.9 is 121.6 / 64, and 1.996 clips to 127 / 64."""
    x = np.zeros((1, 32), np.float32)
    x[0, :4] = [1.9, -1.0, 1.996, 1 / 128]
    encoded = BlockFloatingPoint().encode(x, bits=8)
    assert encoded.codes[0, :4].tolist() == [122, -64, 127, 0]
    assert float(encoded.reading.scale.step[0, 0]) == 1 / 64


def test_headroom_doubles_the_step_only_where_something_would_clip():
    x = np.array([[1.0, 1.99], [1.0, 1.98], [1.0, 127 / 64]], np.float32)
    step = BlockFloatingPoint(block=2, headroom=True).encode(x, bits=8).reading.scale.step
    assert step.ravel().tolist() == [1 / 32, 1 / 64, 1 / 64]


def test_shared_exponents_have_eight_bits():
    tiny = np.array([[2.0**-140, 2.0**-133]], np.float32)
    encoded = BlockFloatingPoint(block=2).encode(tiny, bits=8)
    assert float(encoded.reading.scale.step[0, 0]) == 2.0**-133
    assert encoded.codes.tolist() == [[0, 1]]


def test_dynasty_skips_tiny_blocks_and_no_others():
    x = np.full((4, 8), 2.0**-31, np.float32)
    x[:, 4:] *= 2
    encoded = DynastyBlocks().encode(x, bits=8)
    assert not encoded.codes[:, :4].any()
    assert (encoded.codes[:, 4:] == 64).all()
    assert encoded.reading.scale.word_bits.tolist() == [[0, 8]]
    assert encoded.mean_bits == 4.0
    assert encoded.bits_histogram() == {0: 16, 8: 16}


def test_dynasty_refuses_other_widths_and_maps():
    x = np.ones((8, 8), np.float32)
    for bits in (3, 10, np.array([[8, 8]]), np.array([[8, 8], [5, 8]])):
        with pytest.raises(UserError, match="bits"):
            DynastyBlocks().encode(x, bits=bits)


def exact_product(a, b):
    x, y = a.value, b.value
    return [
        [float(sum(Fraction(p) * Fraction(q) for p, q in zip(row, column, strict=True))) for column in y.T.tolist()]
        for row in x.tolist()
    ]


@pytest.mark.parametrize("octaves", [1, 10, 28])
def test_product_of_mixed_tiles_is_the_exact_sum(octaves):
    """With 28 octaves between tiles many sums spread beyond the frame of 62 bits, and some cancel."""
    rng = np.random.default_rng(octaves)
    x, y = spread((9, 14), 4, 2), spread((14, 6), 5, 2)
    x *= np.kron(2.0 ** rng.integers(-octaves, octaves, (3, 4)), np.ones((4, 4)))[:9, :14].astype(np.float32)
    y *= np.kron(2.0 ** rng.integers(-octaves, octaves, (4, 2)), np.ones((4, 4)))[:14, :6].astype(np.float32)
    a = DynastyBlocks().encode(x, bits=rng.choice([0, 2, 4, 6, 8], (3, 4)))
    b = DynastyBlocks().encode(y, bits=rng.choice([2, 8], (4, 2)))
    assert block_matmul(a, b).tolist() == exact_product(a, b)


def test_product_of_mx_blocks_is_the_exact_sum():
    a = BlockFloatingPoint(block=8).encode(spread((5, 20), 6), bits=8)
    b = BlockFloatingPoint(block=8, axis=0).encode(spread((20, 3), 7), bits=4)
    assert block_matmul(a, b).tolist() == exact_product(a, b)
    assert np.array_equal(block_matmul(transposed(b), transposed(a)), block_matmul(a, b).T)


def test_product_of_largest_codes():
    x = np.full((1, 4096), 1.99, np.float32)
    a = BlockFloatingPoint(block=4).encode(x, bits=16)
    b = BlockFloatingPoint(block=4, axis=0).encode(x.T.copy(), bits=16)
    assert block_matmul(a, b).tolist() == [[4096 * float(a.value[0, 0]) ** 2]]


@pytest.mark.parametrize("apart", [8, 18, 20, 31, 32, 40])
def test_largest_codes_around_the_limit_of_the_frame(apart):
    """4096 products of 30 bits and one far below: 20 octaves apart they just fit 62 bits, more go another way."""
    x = np.full((1, 4096), 1.99, np.float32)
    x[0, -4:] *= np.float32(2.0**-apart)
    a = BlockFloatingPoint(block=4).encode(x, bits=16)
    b = BlockFloatingPoint(block=4, axis=0).encode(np.full((4096, 1), 1.99, np.float32), bits=16)
    assert block_matmul(a, b).tolist() == exact_product(a, b)


def test_blocks_must_agree_along_k():
    x = np.ones((8, 8), np.float32)
    with pytest.raises(UserError, match="one length along K"):
        block_matmul(
            BlockFloatingPoint(block=4).encode(x, bits=8), BlockFloatingPoint(block=8, axis=0).encode(x, bits=8)
        )


def test_bit_products_by_definition():
    rng = np.random.default_rng(9)
    wa, wb = rng.choice([0, 2, 4, 6, 8], (2, 3)), rng.choice([0, 2, 4, 6, 8], (3, 2))
    a = DynastyBlocks().encode(spread((6, 11), 1), bits=wa)
    b = DynastyBlocks().encode(spread((11, 7), 2), bits=wb)
    expected = sum(
        int(wa[m // 4, k // 4]) * int(wb[k // 4, n // 4]) for m in range(6) for k in range(11) for n in range(7)
    )
    assert block_bit_products(a, b) == expected
