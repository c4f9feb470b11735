"""Zero points that stay in the codes: the same bits as zero points taken off."""

import numpy as np
import pytest

from fxpsim.kernels import mac
from fxpsim.numerics import Overflow, RandomBits
from fxpsim.quantizers import tensor_quantizers
from fxpsim.quantizers.stream import CodedStream
from fxpsim.units import raw_codes
from fxpsim.units.coded import CodedOperand
from fxpsim.units.coded_mac import run_coded

SPEC = mac.MacSpec(word_bits=32, overflow=Overflow.WRAP)
NARROW = mac.MacSpec(word_bits=12, overflow=Overflow.SATURATE)
ROUNDED = mac.MacSpec(word_bits=32, overflow=Overflow.WRAP, product_shift=2)
WINDOW = {"stride": 2, "padding": ((1, 0), (0, 2)), "dilation": 1, "groups": 1}
SAME = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}
PLACES = {
    "matmul": ((6, 5), (5, 3), {}),
    "matmul turned": ((5, 6), (3, 5), {"transpose_a": True, "transpose_b": True}),
    "conv2d": ((3, 7, 6, 4), (3, 3, 4, 5), WINDOW),
    "conv2d grouped": ((3, 7, 6, 4), (3, 3, 2, 6), SAME | {"groups": 2}),
    "conv2d_input_grad": ((3, 7, 6, 5), (3, 3, 4, 5), SAME | {"input_shape": (3, 7, 6, 4)}),
    "conv2d_weight_grad": ((3, 7, 6, 4), (3, 7, 6, 5), SAME | {"kernel_shape": (3, 3, 4, 5)}),
    "conv2d_weight_grad grouped": (
        (3, 7, 6, 4),
        (3, 7, 6, 6),
        SAME | {"kernel_shape": (3, 3, 2, 6), "groups": 2},
    ),
}


def operand(shape, seed, *, bits=8, **options):
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    x += np.float32(0.3)
    method = tensor_quantizers["statquant_ptq"](rounding="half_even", **options)
    found = CodedStream(method=method, word_bits=bits).encode_stream(x, None, RandomBits(seed=1))
    return CodedOperand(found.codes, bits, found.step, found.offset, zero=found.zero)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spec", [SPEC, NARROW, ROUNDED], ids=["exact", "saturating", "rounded"])
@pytest.mark.parametrize("bits", [(8, 8), (8, 5), (4, 8), (10, 8)])
@pytest.mark.parametrize("aligned", [(True, True), (False, True), (True, False), (False, False)])
@pytest.mark.parametrize("place", PLACES)
def test_raw_codes_give_the_bits_of_plain_ones(place, aligned, bits, spec, dtype):
    left, right, attributes = PLACES[place]
    a = operand(left, 1, bits=bits[0], zero_aligned=aligned[0])
    b = operand(right, 2, bits=bits[1], zero_aligned=aligned[1])
    name = place.partition(" ")[0]
    got = run_coded(spec, name, a, b, attributes, dtype)
    plain = run_coded(spec, name, a.plain(), b.plain(), attributes, dtype)
    # codes without zero points, in 16 bits, never take the raw way
    assert not plain.reason
    assert got.values.dtype == dtype
    assert np.array_equal(got.values, plain.values)
    assert got.overflowed == plain.overflowed
    if spec is NARROW and bits == (8, 8):
        assert got.overflowed > 0


def test_the_kernel_reads_as_numpy_does(monkeypatch):
    generator = np.random.default_rng(3)
    sums = raw_codes.Sums(
        generator.integers(-(1 << 20), 1 << 20, (4, 5, 6, 7)),
        generator.integers(-999, 999, (4, 5, 6, 1)),
        generator.integers(-999, 999, (1, 5, 6, 7)),
        generator.integers(0, 99, (1, 5, 6, 1)),
    )
    left, right = (
        raw_codes.Line(generator.random(shape), generator.standard_normal(shape))
        for shape in ((4, 1, 1, 1), (1, 1, 1, 7))
    )
    got = raw_codes.read(sums, (3, -120), left, right, 0.25, np.float64)
    monkeypatch.setattr(raw_codes, "_kept_apart", lambda *_: False)
    assert np.array_equal(got, raw_codes.read(sums, (3, -120), left, right, 0.25, np.float64))
    single = raw_codes.read(sums, (3, -120), left, right, 0.25, np.float32)
    assert np.array_equal(single, got.astype(np.float32))
