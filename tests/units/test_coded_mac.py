"""Products of coded operands against the products of what they stand for, in exact rationals."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim import accelerator
from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.numerics import FixedFormat, Overflow, RandomBits
from fxpsim.quantizers import contract, tensor_quantizers, transposed
from fxpsim.quantizers.stream import CodedStream
from fxpsim.units import MacArray, Operand
from fxpsim.units.batched import run_batched
from fxpsim.units.coded import CodedOperand, coded
from fxpsim.units.coded_mac import accumulated, run_coded

RANDOM = RandomBits(seed=9)
SPEC = mac.MacSpec(word_bits=32, overflow=Overflow.WRAP)
WINDOW = {"stride": 2, "padding": 1, "dilation": 1}
# operation -> shapes of the operands, attributes
PLACES = {
    "matmul": ((5, 6), (6, 4), {}),
    "matmul_input": ((5, 4), (6, 4), {"transpose_b": True}),
    "matmul_weight": ((5, 6), (5, 4), {"transpose_a": True}),
    "conv2d": ((3, 5, 6, 2), (3, 3, 2, 4), WINDOW),
    "conv2d_input_grad": ((3, 3, 3, 4), (3, 3, 2, 4), WINDOW | {"input_shape": (3, 5, 6, 2)}),
    "conv2d_weight_grad": ((3, 5, 6, 2), (3, 3, 3, 4), WINDOW | {"kernel_shape": (3, 3, 2, 4)}),
}
SURVIVES = ("matmul", "matmul_input", "conv2d", "conv2d_input_grad")


def noise(shape, *labels):
    words = RANDOM.derive("test", *labels, *shape).words(int(np.prod(shape))).astype(np.float64)
    return ((words - 2**31) * 2.0**-31).reshape(shape).astype(np.float32)


def operand(method, x, word_bits=8, bits=None):
    found = CodedStream(method=method, word_bits=word_bits, bits=bits).encode_stream(x, None, RANDOM)
    reading = found.step, found.offset, found.transform, found.products
    return CodedOperand(found.codes, word_bits, *reading, zero=found.zero, cut=found.cut)


def made(name, x, word_bits=8, bits=None, **options):
    return operand(tensor_quantizers[name](**options), x, word_bits, bits)


def expected(operation, a, b, attributes):
    """Return the operation on what the operands stand for, in binary64."""
    name = operation.partition("_")[0] if operation.startswith("matmul") else operation
    return getattr(mac, name + "_float")(a.values(), b.values(), **attributes)


def run(operation, a, b, attributes, spec=SPEC):
    return run_coded(spec, "matmul" if operation.startswith("matmul") else operation, a, b, dict(attributes))


def close(result, operation, a, b, attributes):
    wanted = expected(operation, a, b, attributes)
    got = result.values
    if result.codes is not None:
        got = np.ldexp(result.codes.codes.astype(np.float64), -result.codes.frac_bits)
    assert result.reason == ""
    assert np.abs(got - wanted).max() <= 1e-12 * max(1.0, np.abs(wanted).max())


PER_TENSOR = [
    ("statquant_ptq", {"rounding": "half_even"}),
    ("statquant_ptq", {"zero_aligned": False, "rounding": "half_even"}),
    ("wage", {"role": "error"}),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("name", "options"), PER_TENSOR)
def test_steps_and_offsets_of_a_tensor_serve_every_product(place, name, options):
    left, right, attributes = PLACES[place]
    a, b = made(name, noise(left, "a") + np.float32(0.4), **options), made(name, noise(right, "b"), 6, **options)
    close(run(place, a, b, attributes), place, a, b, attributes)


@pytest.mark.parametrize("name", ["statquant_psq", "power_of_two_rows", "statquant_bhq", "power_of_two_hadamard"])
@pytest.mark.parametrize("place", SURVIVES)
def test_rows_survive_the_products_that_keep_samples_apart(place, name):
    left, right, attributes = PLACES[place]
    x = noise(left, "rows") * np.float32(10) ** np.arange(left[0]).reshape([-1] + [1] * (len(left) - 1))
    a, b = made(name, x.astype(np.float32)), made("statquant_ptq", noise(right, "b"), zero_aligned=False)
    close(run(place, a, b, attributes), place, a, b, attributes)


@pytest.mark.parametrize("place", ["matmul", "matmul_weight", "conv2d", "conv2d_weight_grad"])
def test_a_range_for_every_output_channel_survives(place):
    left, right, attributes = PLACES[place]
    channels = np.float32(10) ** np.arange(right[-1])
    b = made("statquant_psq", (noise(right, "b") * channels).astype(np.float32), axis=-1)
    a = made("statquant_ptq", noise(left, "a"), zero_aligned=False)
    close(run(place, a, b, attributes), place, a, b, attributes)


@pytest.mark.parametrize("place", ["matmul_weight", "conv2d_weight_grad"])
def test_rows_that_are_summed_over_have_no_integer_product(place):
    left, right, attributes = PLACES[place]
    a, b = made("statquant_ptq", noise(left, "a")), made("statquant_psq", noise(right, "b"))
    assert "vary along its sums" in run(place, a, b, attributes).reason
    mixed = made("statquant_bhq", noise(right, "b"))
    assert "vary along its sums" in run(place, a, mixed, attributes).reason


@pytest.mark.parametrize("place", PLACES)
def test_samples_of_a_few_word_lengths_have_an_integer_product_each(place):
    left, right, attributes = PLACES[place]
    left = (12, *left[1:])
    right = right if place in SURVIVES else (12, *right[1:])
    attributes = attributes | ({"input_shape": (12, 5, 6, 2)} if "input_shape" in attributes else {})
    words = np.array([3, 4, 6, 6, 3, 4, 4, 4, 6, 3, 3, 3])
    a = made("affine_sample_bits", noise(left, "a"), 6, words)
    b = made("affine_sample_bits", noise(right, "b"), 8, words + 2 if place not in SURVIVES else None)
    if place in SURVIVES:
        b = made("statquant_ptq", noise(right, "b"), zero_aligned=False)
    close(run(place, a, b, attributes), place, a, b, attributes)


def test_the_samples_of_each_word_length_meet_the_accumulator_by_themselves():
    """Two word lengths, an accumulator that one group fills and the other does not."""
    codes = np.full((8, 1), 3, np.int16)
    step = np.where(np.arange(8) < 6, 1.0, 0.5).reshape(8, 1)
    a = CodedOperand(codes, 4, step * 3, np.zeros((1, 1)))
    b = CodedOperand(codes, 4, np.full((1, 1), 3.0), np.zeros((1, 1)))
    small = mac.MacSpec(word_bits=6, overflow=Overflow.SATURATE)
    result = run("matmul", a, b, {"transpose_a": True}, small)
    assert result.values.item() == 18 * 4.5 + 31 * 9.0
    assert result.overflowed == 3


def test_matrices_give_what_the_library_gives():
    x, w = noise((6, 5), "x"), noise((5, 3), "w")
    psq, ptq = tensor_quantizers["statquant_psq"](), tensor_quantizers["statquant_ptq"](zero_aligned=False)
    a, b = psq.encode(x, bits=5, random=RANDOM), ptq.encode(w, bits=8, random=RANDOM)
    result = run("matmul", operand(psq, x, 5), operand(ptq, w), {})
    assert np.array_equal(result.values, contract(a, b))
    wide = ptq.encode(w.T.copy(), bits=8, random=RANDOM)
    result = run("matmul", operand(psq, x, 5), operand(ptq, w.T.copy()), {"transpose_b": True})
    assert np.array_equal(result.values, contract(a, transposed(wide)))


BLOCKS = [
    ("dynasty_blocks", {}, 8),
    ("dynasty_blocks", {"rounding": "stochastic"}, 4),
    ("block_floating_point", {"block": 2}, 8),
    ("block_floating_point", {"block": 3, "axis": 0, "rounding": "stochastic"}, 4),
    ("power_of_two_rows", {}, 8),
    ("hgq", {}, 6),
]


def exact(operation, a, b, attributes):
    """Return the matrix product in rationals, rounded once to binary32."""
    left = a.values().T if attributes.get("transpose_a") else a.values()
    right = b.values().T if attributes.get("transpose_b") else b.values()
    rows = [[Fraction(x) for x in row] for row in left.tolist()]
    columns = [[Fraction(x) for x in column] for column in right.T.tolist()]
    sums = [[sum(x * y for x, y in zip(r, c, strict=True)) for c in columns] for r in rows]
    return np.array([[rounded(total) for total in row] for row in sums], np.float32)


def rounded(x):
    """Return a rational rounded to binary32, to nearest even (Python rounds a quotient of integers to binary64)."""
    if x == 0:
        return np.float32(0)
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    exponent -= abs(x) < Fraction(2) ** exponent
    unit = Fraction(2) ** (exponent - 23)
    return np.float32(float(round(x / unit) * unit))


@pytest.mark.parametrize(("name", "options", "bits"), BLOCKS)
@pytest.mark.parametrize("place", ["matmul", "matmul_input", "matmul_weight"])
@pytest.mark.parametrize("spread", [0, 6, 40])
def test_blocks_of_any_exponents_are_multiplied_exactly(place, name, options, bits, spread):
    left, right, attributes = PLACES[place]
    a, b = noise(left, "a"), noise(right, "b")
    if name != "hgq":  # whose grid is fixed: it cannot follow
        a = np.ldexp(a, (-spread * np.arange(left[0]) // left[0])[:, None]).astype(np.float32)
        b = np.ldexp(b, (-spread * np.arange(right[1]) // right[1])[None, :]).astype(np.float32)
    if name == "dynasty_blocks" and options:
        of_blocks = np.resize([0, 2, 8, 6], (-(-left[0] // 4), -(-left[1] // 4)))
        x, y = made(name, a, 8, of_blocks, **options), made(name, b, 8, **options)
    elif name == "hgq":
        fractions = (np.arange(a.size) % 9).reshape(a.shape)
        x, y = made(name, a, 8, fractions, **options), made(name, b, bits, **options)
    else:
        x, y = made(name, a, bits, **options), made(name, b, bits, **options)
    result = run(place, x, y, attributes)
    got = accumulated(result, integers=False)
    values = got.codes if got.frac_bits is None else np.ldexp(got.codes.astype(np.float32), -got.frac_bits)
    assert np.array_equal(values, exact(place, x, y, attributes))


@pytest.mark.parametrize("place", ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"])
def test_convolutions_of_blocks(place):
    left, right, attributes = PLACES[place]
    bits = np.resize([0, 2, 4, 6, 8], (1, 1, left[1], left[2]))
    a = made("dynasty_blocks", noise(left, "a"), 8, bits, axes=(0, -1))
    b = made("block_floating_point", noise(right, "b"), block=2, axis=-2)
    close(run(place, a, b, attributes), place, a, b, attributes)


@pytest.mark.parametrize("place", PLACES)
def test_logarithmic_codes_multiply_by_table_and_shift(place):
    left, right, attributes = PLACES[place]
    a, b = made("logarithmic", noise(left, "a")), made("logarithmic", noise(right, "b"))
    got, wanted = run(place, a, b, attributes).values, expected(place, a, b, attributes)
    # every product is off by less than a unit of the table of 8 bits
    assert np.abs(got - wanted).max() < 2.0**-8 * np.abs(wanted).max() * 4
    assert np.abs(got - wanted).max() > 0


def test_logarithmic_and_linear_codes_do_not_mix():
    a, b = made("logarithmic", noise((5, 6), "a")), made("statquant_ptq", noise((6, 4), "b"))
    with pytest.raises(UserError, match="quantize all three streams logarithmically"):
        run("matmul", a, b, {})


def test_groups_of_a_convolution():
    shape, kernel, window = (3, 5, 6, 4), (3, 3, 2, 6), WINDOW | {"groups": 2}
    x = made("statquant_psq", noise(shape, "x"))
    w = made("statquant_psq", noise(kernel, "w"), axis=-1)
    close(run("conv2d", x, w, window), "conv2d", x, w, window)
    e = made("statquant_psq", noise((3, 3, 3, 6), "e"))
    plain = made("statquant_ptq", noise(kernel, "w"), zero_aligned=False)
    back = window | {"input_shape": shape}
    close(run("conv2d_input_grad", e, plain, back), "conv2d_input_grad", e, plain, back)
    columns = made("statquant_psq", noise((3, 3, 3, 6), "e"), axis=-1)
    flat, weights = made("statquant_ptq", noise(shape, "x"), zero_aligned=False), window | {"kernel_shape": kernel}
    close(run("conv2d_weight_grad", flat, columns, weights), "conv2d_weight_grad", flat, columns, weights)


def test_the_accumulator_is_the_accelerators():
    ones = CodedOperand(np.full((1, 300), 100, np.int16), 8, np.ones((300, 1))[:1], np.zeros((1, 1)))
    narrow = mac.MacSpec(word_bits=16, overflow=Overflow.SATURATE)
    result = run("matmul", ones, ones, {"transpose_b": True}, narrow)
    assert result.codes.codes.item() == 2**15 - 1
    assert result.overflowed > 0


def test_a_fixed_point_operand_reads_as_before():
    codes = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
    plain = Operand(codes, FixedFormat(word_bits=8, frac_bits=3))
    array = MacArray(accelerator.load("int8_systolic_32x32"))
    wanted = array.run("matmul", plain, plain, transpose_b=True)
    got = array.run("matmul", coded(plain), plain, transpose_b=True)
    assert got.frac_bits == wanted.frac_bits == 6
    assert np.array_equal(got.codes, wanted.codes)


def test_the_array_says_why_a_product_is_not_exact():
    a, e = made("statquant_ptq", noise((5, 6), "a")), made("statquant_psq", noise((5, 4), "e"))
    array = MacArray(accelerator.load("int8_systolic_32x32"))
    sums = array.run("matmul", a, e, transpose_a=True)
    assert sums.frac_bits is None
    assert list(array.inexact) == ["steps of an operand of matmul vary along its sums: computed in float32"]
    with pytest.raises(UserError, match="vary along its sums"):
        MacArray(accelerator.load("int8_all_integer")).run("matmul", a, e, transpose_a=True)


def test_an_integer_unit_gets_integers():
    x = noise((5, 6), "x") * np.float32(2) ** -np.arange(5, dtype=np.float32)[:, None]
    a, b = made("power_of_two_rows", x), made("wage", noise((6, 4), "w"), role="weight")
    sums = MacArray(accelerator.load("int8_all_integer")).run("matmul", a, b)
    assert sums.codes.dtype == np.int64
    assert np.array_equal(np.ldexp(sums.codes.astype(np.float64), -sums.frac_bits), a.values() @ b.values())


def test_batches_of_coded_matrices():
    a, b = noise((3, 4, 5), "a"), noise((3, 5, 2), "b")
    left = made("statquant_ptq", a, zero_aligned=False)
    array = MacArray(accelerator.load("int8_systolic_32x32"))
    flat = made("statquant_ptq", b)
    got = run_batched(array, left, flat)
    assert np.allclose(got.codes, left.values() @ flat.values(), rtol=1e-6, atol=1e-6)
    left, right = made("block_floating_point", a, block=4), made("block_floating_point", b, block=4)
    blocks = run_batched(array, left, right)
    assert np.array_equal(blocks.codes, (left.values() @ right.values()).astype(np.float32))
