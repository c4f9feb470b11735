"""Accumulators: matrix products and convolutions against a stepwise reference in Python integers."""

from itertools import product

import numpy as np
import pytest

import fxpsim as fx
from fxpsim.array import OverflowRisk, multiply
from fxpsim.numerics import Overflow, Rounding, oracle

RNG = np.random.default_rng(0)
A = fx.QTensor(RNG.integers(-128, 128, (3, 20)), "s8f4")
B = fx.QTensor(RNG.integers(-128, 128, (20, 4)), "s8f3")


def stepwise(a, b, acc):
    """Accumulate each output with the specification."""
    rows, terms = a.shape
    columns = b.shape[1]
    shift = a.format.frac_bits + b.format.frac_bits - acc.format.frac_bits
    words = acc.random.words(rows * columns * terms).tolist() if acc.random else []
    out = np.empty((rows, columns), object)
    for m, n in product(range(rows), range(columns)):
        products = [int(x) * int(y) for x, y in zip(a.codes[m], b.codes[:, n], strict=True)]
        first = (m * columns + n) * terms
        out[m, n] = oracle.accumulate(
            products,
            shift,
            acc.format,
            acc.rounding,
            acc.overflow,
            order=acc.order,
            chunk=acc.chunk,
            noise=words[first : first + terms],
        )
    return out.tolist()


@pytest.mark.parametrize("rounding", Rounding)
def test_every_rounding_of_products(rounding):
    random = fx.RandomBits(seed=1) if rounding.is_stochastic else None
    for frac_bits in (9, 7, 4, -1):
        acc = fx.Accumulator(format=f"s14f{frac_bits}", rounding=rounding, overflow="saturate", random=random)
        assert fx.matmul(A, B, acc).codes.tolist() == stepwise(A, B, acc), frac_bits


@pytest.mark.parametrize("overflow", [o for o in Overflow if o is not Overflow.RAISE])
@pytest.mark.parametrize(("order", "chunk"), [("sequential", 1), ("chunked", 4), ("chunked", 7), ("chunked", 64)])
def test_every_overflow_and_order(overflow, order, chunk):
    for name in ("s16f7", "s13f5", "u15f7"):
        if overflow is Overflow.WRAP_SIGN_MAGNITUDE and name[0] == "u":
            continue
        acc = fx.Accumulator(format=name, rounding="half_even", overflow=overflow, order=order, chunk=chunk)
        assert fx.matmul(A, B, acc).codes.tolist() == stepwise(A, B, acc), name


def test_the_exact_product_grows():
    y = fx.matmul(A, B)
    assert str(y.format) == "s21f7"
    np.testing.assert_array_equal(y.value, A.value @ B.value)
    unsigned = fx.QTensor(np.full((1, 5), 255), "u8f0")
    assert str((unsigned @ unsigned.T).format) == "u19f0"
    assert (unsigned @ unsigned.T).codes.item() == 5 * 255**2


def test_vectors_and_batches():
    batch = fx.QTensor(RNG.integers(-128, 128, (2, 5, 3, 20)), "s8f4")
    many = fx.QTensor(RNG.integers(-128, 128, (5, 20, 4)), "s8f3")
    for a, b in [
        (A, B),
        (A[0], B),
        (A, B[:, 0]),
        (A[0], B[:, 0]),
        (batch, B),
        (batch, many),
        (A, many),
        (batch, B[:, 0]),
    ]:
        np.testing.assert_array_equal((a @ b).value, a.value @ b.value)
    acc = fx.Accumulator(format="s14f5", rounding="stochastic", random=fx.RandomBits(seed=1))
    y = fx.matmul(batch, many, acc)
    assert y.shape == (2, 5, 3, 4)
    # items of a batch take streams of their own; the first one is that of a single product
    assert (y[0, 0] == fx.matmul(batch[0, 0], many[0], acc)).all()


def test_convolution_is_the_product_with_unfolded_windows():
    x = fx.QTensor(RNG.integers(-128, 128, (2, 6, 5, 3)), "s8f4")
    w = fx.QTensor(RNG.integers(-128, 128, (3, 2, 3, 4)), "s8f3")
    acc = fx.Accumulator(format="s15f5", rounding="half_even", overflow="saturate")
    y = fx.conv2d(x, w, stride=(2, 1), accumulator=acc)
    rows = [x.codes[n, i * 2 : i * 2 + 3, j : j + 2].ravel() for n in range(2) for i in range(2) for j in range(4)]
    unfolded = fx.QTensor(np.array(rows), "s8f4")
    assert y.codes.reshape(-1, 4).tolist() == stepwise(unfolded, w.reshape(-1, 4), acc)
    exact = fx.conv2d(x, w, padding=((1, 0), (0, 1)), dilation=2, groups=1)
    assert exact.shape == (2, 3, 4, 4)
    assert str(exact.format) == "s21f7"


def test_counters_count_updates_that_left_the_range():
    a = fx.QTensor([[100, 100, -100, 100]], "s8f0")
    acc = fx.Accumulator(format="s15f0", overflow="saturate")
    y = fx.matmul(a, a.T, acc)
    # 10000, 20000 (out), 26383 (out), 26383 (out): saturated at 16383 each time
    assert y.codes.item() == 16383
    assert y.counts.saturated == 3
    wrapped = fx.matmul(a, a.T, fx.Accumulator(format="s15f0", overflow="wrap"))
    assert (wrapped.counts.wrapped, wrapped.counts.saturated) == (1, 0)
    with pytest.raises(fx.UserError, match="matmul to s15f0"):
        fx.matmul(a, a.T, fx.Accumulator(format="s15f0", overflow="raise"))


@pytest.mark.parametrize("rounding", ["floor", "ceil", "half_even", "half_away", "jam", "toward_zero"])
@pytest.mark.parametrize(("a", "b"), [("s4f1", "s4f1"), ("u4f1", "s3f0"), ("u3f2", "u3f1")])
def test_the_safe_length_is_exact(a, b, rounding):
    """At the safe length nothing overflows for the worst codes, one product more overflows."""
    formats = [fx.FixedFormat.parse(name) for name in (a, b)]
    acc = fx.Accumulator(format="s9f1", rounding=rounding, overflow="saturate")
    safe = acc.safe_length(a, b)
    corners = list(product(*[(fmt.min_code, fmt.max_code) for fmt in formats]))

    def overflows(terms):
        return any(
            fx.matmul(
                fx.QTensor(np.full((1, terms), x), formats[0]), fx.QTensor(np.full((terms, 1), y), formats[1]), acc
            ).counts.saturated
            for x, y in corners
        )

    assert safe is not None
    assert not overflows(safe)
    assert overflows(safe + 1)
    assert acc.proof(a, b, safe).holds
    assert not acc.proof(a, b, safe + 1).holds
    enough = fx.FixedFormat(word_bits=acc.proof(a, b, safe + 1).needed_word_bits, frac_bits=1)
    assert fx.Accumulator(format=enough, rounding=rounding).proof(a, b, safe + 1).holds


def test_a_layer_that_may_overflow_is_told_the_numbers():
    acc = fx.Accumulator(format="s18f8")
    with pytest.warns(
        OverflowRisk, match=r"fc1: 784 products of s8f4 and s8f4 .* safe up to 7 products, or with 25 bits"
    ):
        acc.check("s8f4", "s8f4", 784, where="fc1")
    assert acc.check("s8f4", "s8f4", 7).holds


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"order": "tree"}, "sequential, chunked"),
        ({"chunk": 0, "order": "chunked"}, "at least one product"),
        ({"rounding": "stochastic"}, "RandomBits"),
        ({"format": "u8f0", "overflow": "wrap_sign_magnitude"}, "signed"),
        ({"overflow": "saturat"}, "did you mean"),
    ],
)
def test_impossible_accumulators_are_refused(arguments, match):
    with pytest.raises(fx.UserError, match=match):
        fx.Accumulator(**{"format": "s18f8", **arguments})


LIMIT = [2**63 - 1, -(2**63), 2**62, -3, 5, 2**40 + 1]


@pytest.mark.parametrize("order", ["sequential", "chunked"])
@pytest.mark.parametrize("overflow", ["saturate", "wrap", "saturate_zero", "wrap_sign_magnitude"])
def test_long_words_products_and_accumulators(overflow, order):
    """Operands to 64 bits, products to 126, accumulators to 64."""
    for first, second in [("s64f20", "s62f3"), ("s33f0", "s33f9"), ("s31f0", "s31f0"), ("s16f8", "s16f8")]:
        a, b = (fx.FixedFormat.parse(name) for name in (first, second))
        x = fx.QTensor(RNG.choice([min(max(c, a.min_code), a.max_code) for c in LIMIT], (2, 9)), a)
        y = fx.QTensor(RNG.choice([min(max(c, b.min_code), b.max_code) for c in LIMIT], (9, 2)), b)
        for name in ("s64f0", "s64f16", "s63f9", "s40f-20", "u64f0"):
            if name[0] == "u" and overflow == "wrap_sign_magnitude":
                continue
            for rounding in ("half_even", "stochastic"):
                random = fx.RandomBits(seed=2) if rounding == "stochastic" else None
                acc = fx.Accumulator(
                    format=name, rounding=rounding, overflow=overflow, order=order, chunk=4, random=random
                )
                assert fx.matmul(x, y, acc).codes.tolist() == stepwise(x, y, acc), (first, second, name, rounding)


def test_exact_products_of_64_bits():
    x, y = fx.QTensor([[2**32 - 1, -(2**32)]], "s33f0"), fx.QTensor([[-(2**29)], [2**29 - 1]], "s30f0")
    assert (x @ y).codes.item() == -(2**32 - 1) * 2**29 - 2**32 * (2**29 - 1)
    assert str((x @ y).format) == "s64f0"
    u = fx.QTensor([[2**32 - 1]], "u32f0")
    assert (u @ u).codes.item() == (2**32 - 1) ** 2
    assert str((u @ u).format) == "u64f0"


def test_impossible_products_are_refused():
    long = fx.QTensor([[1]], "s64f0")
    with pytest.raises(fx.UserError, match="at most 127 bits"):
        fx.matmul(long, long, fx.Accumulator(format="s64f5"))
    with pytest.raises(fx.UserError, match="unfold the windows"):
        fx.conv2d(long.reshape(1, 1, 1, 1), long.reshape(1, 1, 1, 1), accumulator=fx.Accumulator(format="s64f0"))
    wide = fx.QTensor([[2**40]], "s45f0")
    with pytest.raises(fx.UserError, match="90 bits"):
        fx.matmul(wide, wide)
    with pytest.raises(fx.UserError, match=r"\(3, 20\)"):
        fx.matmul(A, A)
    with pytest.raises(fx.UserError, match="two QTensors"):
        fx.matmul(A, B.value)
    with pytest.raises(fx.UserError, match=r"\(N, H, W, C\)"):
        fx.conv2d(A, B)


def codes_of(fmt):
    """Every code of a format."""
    return np.arange(fmt.min_code, fmt.max_code + 1)


@pytest.mark.parametrize(
    ("rounding", "overflow"),
    [
        *((mode, "saturate") for mode in Rounding),
        *((Rounding.HALF_EVEN, o) for o in Overflow if o is not Overflow.RAISE),
    ],
)
def test_counts_are_those_of_casting_each_product(rounding, overflow):
    """Sums of one product: the accumulation counts what the cast of all products counts."""
    for a, b, name in (("s5f3", "s4f1", "s4f1"), ("u4f2", "s4f3", "s5f0"), ("s4f0", "s4f0", "s6f2")):
        first, second = (fx.FixedFormat.parse(text) for text in (a, b))
        x, y = fx.QTensor(codes_of(first)[:, None], first), fx.QTensor(codes_of(second)[None], second)
        random = fx.RandomBits(seed=3) if rounding.is_stochastic else None
        sums = fx.matmul(x, y, fx.Accumulator(format=name, rounding=rounding, overflow=overflow, random=random))
        casts = multiply(x, y, name, rounding, overflow, random=random)
        assert (sums.codes == casts.codes).all()
        assert sums.counts.products == sums.counts.elements == x.size * y.size
        for counter in ("saturated", "wrapped", "flushed", "inexact"):
            assert getattr(sums.counts, counter) == getattr(casts.counts, counter), (counter, a, b, name)


@pytest.mark.parametrize("rounding", ["half_even", "floor", "jam", "stochastic"])
def test_narrow_and_wide_kernels_count_alike(rounding):
    """The same codes through 61 bits and, as a format of 60 bits, through 128 bits."""
    random = fx.RandomBits(seed=3) if rounding == "stochastic" else None
    found = []
    for name in ("s8f4", "s60f4"):
        x, y = fx.QTensor(A.codes.astype(np.int64), name), fx.QTensor(B.codes.astype(np.int64), name)
        acc = fx.Accumulator(format="s14f5", rounding=rounding, overflow="saturate", random=random)
        found.append(fx.matmul(x, y, acc))
    assert (found[0].codes == found[1].codes).all()
    assert found[0].counts == found[1].counts
    assert found[0].counts.inexact > found[0].counts.flushed > -1


def test_counts_of_a_convolution_and_of_a_batch():
    x = fx.QTensor(RNG.integers(-128, 128, (2, 6, 5, 3)), "s8f4")
    w = fx.QTensor(RNG.integers(-128, 128, (3, 3, 3, 4)), "s8f3")
    acc = fx.Accumulator(format="s15f4", rounding="half_even", overflow="saturate")
    y = fx.conv2d(x, w, padding=1, accumulator=acc)
    padded = np.pad(x.codes, ((0, 0), (1, 1), (1, 1), (0, 0))).astype(int)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    products = windows[..., None] * w.codes.astype(int)
    assert y.counts.flushed == ((products != 0) & (abs(products) <= 4)).sum()
    assert y.counts.inexact == (products % 8 != 0).sum()
    assert y.counts.products == (2 * 16 * 13 * 3) * 4
    assert 0 < y.counts.flushed_share < y.counts.inexact_share < 1
    batch = fx.QTensor(np.stack([A.codes, A.codes]), "s8f4")
    many = fx.QTensor(np.stack([B.codes, B.codes]), "s8f3")
    assert fx.matmul(batch, many, acc).counts == sum([fx.matmul(A, B, acc).counts] * 2, fx.matmul(A, B[:, :0]).counts)
