"""Batched products: the MAC array's own codes, whatever the types, transpositions and threads."""

import numpy as np
import pytest

from fxpsim.accelerator import load
from fxpsim.kernels.threads import set_threads, threads
from fxpsim.numerics import FixedFormat
from fxpsim.units import MacArray
from fxpsim.units.proven import run_at_once
from fxpsim.units.values import Operand


def operand(random, shape: tuple[int, ...], word_bits: int, signed: bool) -> Operand:
    fmt = FixedFormat(word_bits=word_bits, frac_bits=3, signed=signed)
    dtype = np.dtype(f"{'i' if signed else 'u'}{1 if word_bits <= 8 else 2}")
    codes = random.integers(fmt.min_code, fmt.max_code + 1, (5, *shape))
    codes[0] = fmt.min_code if signed else fmt.max_code  # the largest sum that there can be
    return Operand(codes.astype(dtype), fmt)


def array(**accumulator) -> MacArray:
    target = load("int8_systolic_32x32")
    for key, value in accumulator.items():
        target = target.with_set(f"mac_array.accumulator.{key}", value)
    return MacArray(target)


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize(("word_bits", "signed"), [(8, True), (8, False), (12, True)])
def test_the_codes_are_those_of_one_product_after_the_other(transpose_a, transpose_b, word_bits, signed):
    random, mac = np.random.default_rng(4), array()
    a = operand(random, (9, 7) if transpose_a else (7, 9), word_bits, signed)
    b = operand(random, (3, 9) if transpose_b else (9, 3), 8, True)
    transposed = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    before, results = threads(), []
    for count in (1, 3):
        set_threads(count)
        results.append(run_at_once(mac, a, b, **transposed))
    set_threads(before)
    parts = [
        mac.run("matmul", Operand(a.codes[i], a.format), Operand(b.codes[i], b.format), **transposed) for i in range(5)
    ]
    for result in results:
        assert result is not None
        np.testing.assert_array_equal(result.codes, np.stack([part.codes for part in parts]))
        assert result.codes.dtype == parts[0].codes.dtype
        assert (result.max_abs, result.frac_bits) == (max(part.max_abs for part in parts), parts[0].frac_bits)


def test_what_is_not_proven_is_refused():
    random = np.random.default_rng(5)
    a, b = operand(random, (7, 9), 8, True), operand(random, (9, 3), 8, True)
    assert run_at_once(array(word_bits=19), a, b) is not None
    # nine products of 2**14 reach beyond 2**17 - 1
    assert run_at_once(array(word_bits=18), a, b) is None
    assert run_at_once(array(product_drop_bits=2), a, b) is None
    assert run_at_once(array(), Operand(a.codes.astype(np.float32), None), b) is None
