"""Products of logarithmic codes against the same arithmetic in plain integers."""

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.quantizers import LogarithmicCodes, StatQuantPTQ, logarithmic_matmul
from fxpsim.quantizers.logarithmic_matmul import product_table


def encoded(shape, seed, gamma=8, bits=8, octaves=4):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape) * 2.0 ** rng.integers(-octaves, octaves, shape)
    x[rng.random(shape) < 0.1] = 0
    return LogarithmicCodes(gamma=gamma).encode(x.astype(np.float32), bits=bits)


def by_integers(a, b, gamma, largest, table_bits, frac_bits):
    table = [round(2 ** (r / gamma) * 2**table_bits) for r in range(gamma)]

    def term(p, q):
        if p == 0 or q == 0:
            return 0
        octaves, rest = divmod(abs(p) + abs(q) - 2 * largest, gamma)
        shift = frac_bits - table_bits + octaves
        size = table[rest] << shift if shift >= 0 else table[rest] >> -shift
        return size if (p > 0) == (q > 0) else -size

    return [
        [sum(term(p, q) for p, q in zip(row, column, strict=True)) for column in b.T.tolist()] for row in a.tolist()
    ]


@pytest.mark.parametrize(
    ("gamma", "bits", "table_bits", "frac_bits"), [(8, 8, 8, 40), (1, 5, 1, 30), (8, 8, 4, 10), (64, 12, 12, 50)]
)
def test_sums_are_those_of_plain_integers(gamma, bits, table_bits, frac_bits):
    a, b = encoded((5, 13), 1, gamma, bits, 12), encoded((13, 4), 2, gamma, bits, 12)
    largest = 2 ** (bits - 1) - 1
    sums = by_integers(a.codes, b.codes, gamma, largest, table_bits, frac_bits)
    scale = 2.0 ** (a.reading.exponent + b.reading.exponent - frac_bits)
    result = logarithmic_matmul(a, b, table_bits=table_bits, frac_bits=frac_bits)
    assert result.tolist() == [[float(total) * scale for total in row] for row in sums]


@pytest.mark.parametrize("table_bits", [3, 6, 9, 12])
def test_every_product_is_within_half_a_unit_of_the_table(table_bits):
    a, b = encoded((9, 40), 3), encoded((40, 7), 4)
    error = logarithmic_matmul(a, b, table_bits=table_bits, frac_bits=55) - a.value @ b.value
    bound = np.abs(a.value) @ np.abs(b.value) * 2.0 ** -(table_bits + 1)
    assert (np.abs(error) <= bound * (1 + 1e-9)).all()
    assert (np.abs(error) > bound / 50).any()  # the bound says something


def test_powers_of_two_are_exact():
    x = np.array([[1.0, -2.0, 0.0], [0.25, 8.0, -0.5]], np.float32)
    e, f = (LogarithmicCodes().encode(v, bits=8) for v in (x, np.ascontiguousarray(x.T)))
    assert np.array_equal(logarithmic_matmul(e, f), x.astype(np.float64) @ x.T)


def test_table_is_the_nearest():
    assert product_table(8, 8).tolist() == [round(256 * 2 ** (r / 8)) for r in range(8)]


def test_refuses_other_codes_and_too_long_sums():
    a, b = encoded((3, 4), 5), encoded((4, 2), 6)
    with pytest.raises(UserError, match="linear codes"):
        logarithmic_matmul(StatQuantPTQ(rounding="half_even").encode(np.ones((2, 3), np.float32), bits=8), b)
    with pytest.raises(UserError, match="one gamma"):
        logarithmic_matmul(a, encoded((4, 2), 6, gamma=4))
    with pytest.raises(UserError, match="one gamma"):
        logarithmic_matmul(a, a)
    for table_bits, frac_bits in ((8, 60), (9, 8), (0, 8)):
        with pytest.raises(UserError, match="fewer fractional bits"):
            logarithmic_matmul(a, b, table_bits=table_bits, frac_bits=frac_bits)
