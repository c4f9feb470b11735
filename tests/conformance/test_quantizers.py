"""What every registered tensor quantizer must do, whatever its method."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import fxpsim as fx
from fxpsim.array import QTensor
from fxpsim.errors import UserError
from fxpsim.kernels.threads import set_threads, threads
from fxpsim.numerics import FixedFormat, RandomBits
from fxpsim.quantizers import Evidence, build, tensor_quantizers

# name -> (parameters, bits) to try; every registered name has to be here
CASES = {
    "statquant_ptq": [({}, 8), ({}, 4), ({"zero_aligned": False}, 5), ({"rounding": "half_even"}, 8)],
    "statquant_psq": [({}, 8), ({}, 4), ({"rounding": "half_even"}, 6), ({"axis": -1}, 5)],
    "statquant_bhq": [({}, 8), ({}, 5), ({}, 4), ({"rounding": "half_even"}, 8)],
    "power_of_two_rows": [({}, 8), ({}, 4), ({"rounding": "half_even"}, 3)],
    "power_of_two_hadamard": [({}, 8), ({}, 4), ({"rounding": "half_away"}, 6)],
    "block_floating_point": [
        ({}, 8),
        ({"block": 4, "axis": 0}, 4),
        ({"block": 5, "rounding": "stochastic", "headroom": True}, 6),
        ({"rounding": "stochastic"}, 8),
        ({"headroom": True}, 4),
        ({"block": 2, "axis": -2}, 6),
    ],
    "dynasty_blocks": [
        ({}, 8),
        ({}, 2),
        ({}, 0),
        ({"rounding": "stochastic"}, 8),
        ({"rounding": "stochastic"}, 4),
        ({"axes": [0, -1]}, 4),
        ({"axes": [-2, -1]}, 6),
    ],
    "dorefa": [
        ({"role": "weight"}, 4),
        ({"role": "weight"}, 1),
        ({"role": "activation"}, 3),
        ({"role": "gradient"}, 6),
        ({"role": "gradient"}, 2),
    ],
    "wage": [
        ({"role": "weight"}, 2),
        ({"role": "activation"}, 8),
        ({"role": "error"}, 8),
        ({"role": "gradient"}, 8),
        ({"role": "gradient", "learning_rate": 8.0}, 8),
    ],
    "niti": [({}, 8), ({"rounding": "pseudo_stochastic"}, 6), ({"rounding": "stochastic"}, 8)],
    "logarithmic": [({}, 8), ({"gamma": 1}, 4), ({"gamma": 64}, 12)],
    "hgq": [({}, 6), ({}, 0), ({}, -3)],
    "affine_sample_bits": [({}, 8), ({"rounding": "stochastic"}, 6), ({"rounding": "stochastic"}, 3)],
}
ALL = [
    pytest.param(name, options, bits, id="-".join([name, *map(str, options.values()), str(bits)]))
    for name, cases in CASES.items()
    for options, bits in cases
]
RANDOM = RandomBits(seed=7, stream=1)


def make(name, options):
    return build({"quantizer": name, **options}, where="test", among=tensor_quantizers)


def has_fixed_grid(name, options):
    """Whether the codes depend on the tensor's magnitude: small blocks of DYNASTY are skipped, weights are clipped."""
    return name in ("hgq", "niti", "dynasty_blocks") or options.get("role") in ("weight", "activation")


every_case = pytest.mark.parametrize(("name", "options", "bits"), ALL)
every_scaled_case = pytest.mark.parametrize(
    ("name", "options", "bits"), [case for case in ALL if not has_fixed_grid(*case.values[:2])]
)
every_unbiased_case = pytest.mark.parametrize(
    ("name", "options", "bits"), [case for case in ALL if make(*case.values[:2]).unbiased]
)


def integers(shape, seed=0, reach=3000):
    """Whole numbers that do not depend on NumPy's generators."""
    words = RandomBits(seed=seed).words(int(np.prod(shape))).astype(np.int64)
    return (words % (2 * reach + 1) - reach).reshape(shape)


def tensors():
    """Tensors by name: codes and the fraction length that they are read with."""
    mixed = integers((6, 10))
    outlier = mixed.copy()
    outlier[2] *= 700
    empty_row = mixed.copy()
    empty_row[3] = 0
    return {
        "mixed": (mixed, 10),
        "image": (integers((5, 3, 2, 3), 1), 12),
        "one_large_row": (outlier, 14),
        "zero_row": (empty_row, 10),
        "zeros": (np.zeros((4, 6), np.int64), 3),
        "constant": (np.full((4, 5), -37), 6),
        "nonnegative": (np.abs(mixed), 11),
        "negative": (-np.abs(mixed) - 1, 11),
        "one_element": (np.array([[5]]), 2),
        "one_row": (integers((1, 9), 2), 9),
        "two_rows": (integers((2, 7), 3), 9),
        "one_column": (integers((9, 1), 4), 10),
        "vector": (integers((11,), 5), 10),
        "power_of_two": (np.array([[128, -128, 1, 0], [64, 3, -2, -1]]), 7),
        "one_unit": (np.array([[1, 0, 0], [0, 0, -1], [0, 0, 0]]), 8),
        "lopsided": (np.array([[-1, 2000, 999], [5, 700, 300], [1, 2, 3]]), 10),
    }


def as_input(quantizer, codes, frac_bits):
    if not quantizer.takes_float:
        return QTensor(codes, FixedFormat(word_bits=32, frac_bits=frac_bits))
    return np.ldexp(codes.astype(np.float64), -frac_bits).astype(np.float32)


def test_every_registered_quantizer_is_here():
    assert sorted(CASES) == sorted(tensor_quantizers)


@pytest.mark.parametrize("name", CASES)
def test_says_where_it_comes_from(name):
    kind = tensor_quantizers[name]
    assert isinstance(kind.evidence, Evidence)
    assert kind.source
    assert kind.takes_float or kind.takes_codes


@every_case
@pytest.mark.parametrize("tensor", tensors())
def test_codes_are_in_range_and_decode_within_the_bound(name, options, bits, tensor):
    quantizer = make(name, options)
    x = as_input(quantizer, *tensors()[tensor])
    encoded = quantizer.encode(x, bits=bits, random=RANDOM)
    assert encoded.codes.dtype.kind in "iu"
    assert encoded.shape == x.shape == encoded.value.shape
    assert encoded.codes.min() >= encoded.format.min_code
    assert encoded.codes.max() <= encoded.format.max_code
    reference = quantizer.reference(x, bits=bits)
    slack = 1e-12 * max(np.abs(reference).max(), np.abs(np.asarray(x, np.float64)).max())
    assert np.isfinite(encoded.value).all()
    assert (np.abs(encoded.value - reference) <= encoded.error_bound() * (1 + 1e-9) + slack).all()


@every_case
def test_zeros_stay_zero(name, options, bits):
    quantizer = make(name, options)
    x = as_input(quantizer, np.zeros((5, 4), np.int64), 0)
    value = quantizer.encode(x, bits=bits, random=RANDOM).value
    if name == "dorefa" and options["role"] == "weight" and bits > 1:
        assert np.allclose(np.abs(value), 1 / (2**bits - 1))  # zero is no code of these weights
    else:
        assert (value == 0).all()


@every_scaled_case
@pytest.mark.parametrize("size", [2.0**-120, 2.0**-30, 2.0**100])
def test_scale_does_not_matter(name, options, bits, size):
    """Methods that take their range from the tensor take it from any range of binary32."""
    quantizer = make(name, options)
    x = np.ldexp(integers((6, 10)).astype(np.float32), -10)
    codes = quantizer.encode(x, bits=bits, random=RANDOM).codes
    assert np.array_equal(quantizer.encode(x * np.float32(size), bits=bits, random=RANDOM).codes, codes)


def errors_over_draws(quantizer, x, bits, draws):
    reference = quantizer.reference(x, bits=bits)
    encoded = [quantizer.encode(x, bits=bits, random=RandomBits(seed=11, stream=i)) for i in range(draws)]
    bound = encoded[0].error_bound()
    return np.stack([(e.value - reference) / bound for e in encoded]).reshape(draws, -1), np.sign(reference).ravel()


def largest_z(errors, signs):
    """Return the largest z-score of the mean error: over all elements, toward zero, and of single elements."""
    draws = len(errors)

    def z(samples):
        spread = samples.std(axis=0)
        # an element that is rounded rarely has no normal mean
        return np.abs(samples.mean(axis=0))[spread > 0.1] / spread[spread > 0.1] * np.sqrt(draws)

    together = [errors.sum(axis=1), (errors * signs).sum(axis=1)]
    totals = [abs(t.mean()) / (t.std() + 1e-12) * np.sqrt(draws) for t in together]
    single = z(errors)
    return max(totals), single.max(initial=0), single.mean() if single.size else 0.8


@every_unbiased_case
def test_stochastic_codes_are_unbiased(name, options, bits):
    quantizer = make(name, options)
    assert quantizer.stochastic
    x = as_input(quantizer, integers((6, 9), 8), 10)
    errors, signs = errors_over_draws(quantizer, x, bits, 500)
    assert errors.std() > 0.1
    total, single, mean = largest_z(errors, signs)
    assert total < 4
    assert single < 5
    assert 0.6 < mean < 1.0  # 0.80 for normal means


def test_the_test_of_bias_finds_clipping():
    quantizer = make("block_floating_point", {"rounding": "stochastic", "block": 3})
    assert not quantizer.unbiased
    x = np.array([[0.99, 0.98, 0.3], [0.97, -0.99, 0.96]], np.float32)
    total, _, _ = largest_z(*errors_over_draws(quantizer, x, 4, 500))
    assert total > 8


@every_case
def test_threads_do_not_matter(name, options, bits):
    quantizer = make(name, options)
    x = as_input(quantizer, integers((37, 1403), 9), 10)
    before = threads()
    try:
        results = []
        for count in (1, 2, 5):
            set_threads(count)
            results.append(quantizer.encode(x, bits=bits, random=RANDOM).codes)
    finally:
        set_threads(before)
    assert all(np.array_equal(result, results[0]) for result in results)


@every_case
def test_replays_from_its_key_and_leaves_the_input_alone(name, options, bits):
    quantizer = make(name, options)
    x = as_input(quantizer, integers((7, 8), 10), 10)
    copy = x if isinstance(x, QTensor) else x.copy()
    first = quantizer.encode(x, bits=bits, random=RANDOM)
    again = quantizer.encode(copy, bits=bits, random=RandomBits(seed=7, stream=1))
    assert np.array_equal(first.codes, again.codes)
    assert np.array_equal(first.value, again.value)
    assert isinstance(x, QTensor) or np.array_equal(x, copy)
    if quantizer.stochastic:
        other = quantizer.encode(x, bits=bits, random=RandomBits(seed=7, stream=2))
        assert not np.array_equal(first.codes, other.codes)


@every_case
def test_integers_give_the_codes_of_their_values(name, options, bits):
    quantizer = make(name, options)
    codes = integers((6, 10), 12)
    q = QTensor(codes, FixedFormat(word_bits=20, frac_bits=10))
    if not quantizer.takes_codes:
        with pytest.raises(UserError, match="integer codes are given"):
            quantizer.encode(q, bits=bits, random=RANDOM)
    elif quantizer.takes_float:
        of_codes = quantizer.encode(q, bits=bits, random=RANDOM)
        of_values = quantizer.encode(q.value.astype(np.float32), bits=bits, random=RANDOM)
        assert np.array_equal(of_codes.codes, of_values.codes)
        assert np.array_equal(of_codes.value, of_values.value)


@every_case
def test_refuses_what_it_cannot_take(name, options, bits):
    quantizer = make(name, options)
    good = as_input(quantizer, integers((3, 4)), 10)
    with pytest.raises(UserError, match="bits"):
        quantizer.encode(good, bits=99, random=RANDOM)
    with pytest.raises(UserError, match="bits"):
        quantizer.encode(good, bits=2.5, random=RANDOM)
    if quantizer.stochastic:
        with pytest.raises(UserError, match="no random bits"):
            quantizer.encode(good, bits=bits)
    if not quantizer.takes_float:
        with pytest.raises(UserError, match="expected: a QTensor"):
            quantizer.encode(np.ones((2, 2), np.float32), bits=bits, random=RANDOM)
        return
    for wrong, message in [
        (np.array([[np.nan, 1]], np.float32), "infinities or NaN"),
        (np.array([[np.inf, 1]], np.float32), "infinities or NaN"),
        (np.zeros((0, 3), np.float32), "shape"),
        (np.array([[1e300, 1.0]]), "beyond"),
        (np.array([[1e-300, 1.0]]), "below"),
        (np.ones((2, 2), np.int64), "int64"),
    ]:
        with pytest.raises(UserError, match=message):
            quantizer.encode(wrong, bits=bits, random=RANDOM)


@every_case
def test_codes_are_those_on_record(name, options, bits):
    """Pin every method: another platform, compiler or NumPy has to give the same codes."""
    quantizer = make(name, options)
    digest = hashlib.sha256()
    for tensor in ("mixed", "image", "one_large_row", "lopsided"):
        encoded = quantizer.encode(as_input(quantizer, *tensors()[tensor]), bits=bits, random=RANDOM)
        digest.update(encoded.codes.astype("<i8").tobytes())
    record = json.loads(Path(__file__).with_name("quantizer_codes.json").read_text())
    assert record[f"{name} {json.dumps(options)} {bits}"] == digest.hexdigest()[:16]


def test_the_manual_lists_every_quantizer():
    page = (Path(__file__).parents[2] / "docs" / "quantizers.md").read_text(encoding="utf-8")
    for name, kind in ((name, tensor_quantizers[name]) for name in tensor_quantizers):
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"| {kind.evidence.name.lower()} |" in row


def test_a_quantizer_of_the_other_kind_is_named_as_such():
    with pytest.raises(fx.UserError, match="'dorefa' has no word length"):
        build({"quantizer": "dorefa", "role": "weight"}, where="streams.weight")
    with pytest.raises(fx.UserError, match="'fixed_point' is a quantizer"):
        make("fixed_point", {"word_bits": 8})


def test_unknown_names_and_keys_answer_with_the_nearest():
    with pytest.raises(fx.UserError, match="did you mean 'statquant_psq'"):
        make("statquant_psk", {})
    with pytest.raises(fx.UserError, match="did you mean 'rounding'"):
        make("statquant_psq", {"roundin": "floor"})
    with pytest.raises(fx.UserError, match="rounding is 'floor'"):
        make("statquant_psq", {"rounding": "floor"})
