"""Laws that hold for every format, mode and value, on values drawn where they are hard."""

from fractions import Fraction

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fxpsim as fx
from fxpsim.array import multiply
from fxpsim.numerics import Overflow, Rounding, oracle
from fxpsim.testing import strategies as fxs

LAWS = settings(max_examples=60, deadline=None, derandomize=True, database=None)
SAFE = Overflow.SATURATE


@st.composite
def casts(draw):
    fmt = draw(fxs.formats())
    overflow, bits = draw(fxs.overflows(fmt))
    return fmt, draw(fxs.roundings()), overflow, bits, draw(fxs.random_bits())


@LAWS
@given(data=st.data(), settings=casts())
def test_a_cast_is_what_the_specification_says(data, settings):
    fmt, rounding, overflow, bits, random = settings
    x = data.draw(st.lists(fxs.values(fmt), max_size=8))
    q = fx.cast(np.array(x, float), fmt, rounding, overflow, overflow_bits=bits, random=random)
    words = random.words(len(x)).tolist()
    want = [oracle.cast(v, fmt, rounding, overflow, overflow_bits=bits, noise=n) for v, n in zip(x, words, strict=True)]
    assert q.codes.tolist() == want


@LAWS
@given(data=st.data(), settings=casts(), source=fxs.formats())
def test_a_cast_of_codes_is_what_the_specification_says(data, settings, source):
    fmt, rounding, overflow, bits, random = settings
    x = data.draw(fxs.qtensors(source, max_size=8))
    q = fx.cast(x, fmt, rounding, overflow, overflow_bits=bits, random=random)
    values = [int(c) * source.step for c in x.codes.tolist()]
    words = random.words(x.size).tolist()
    want = [
        oracle.cast(v, fmt, rounding, overflow, overflow_bits=bits, noise=n) for v, n in zip(values, words, strict=True)
    ]
    assert q.codes.tolist() == want


@LAWS
@given(data=st.data(), fmt=fxs.formats(), rounding=fxs.roundings(), random=fxs.random_bits())
def test_casting_again_changes_nothing(data, fmt, rounding, random):
    """Idempotence, also of ``jam``: its results are odd."""
    overflow, bits = data.draw(fxs.overflows(fmt))
    # modes that move values within the range, or make even codes, are not idempotent by definition
    assume(not (rounding is Rounding.JAM and overflow is not SAFE))
    assume(rounding is not Rounding.JAM or fmt.min_code < 0 or fmt.word_bits > 1)
    q = fx.cast(data.draw(fxs.values(fmt)), fmt, rounding, overflow, overflow_bits=bits, random=random)
    assume(rounding is not Rounding.JAM or int(q.codes) % 2)
    again = fx.cast(q, fmt, rounding, overflow, overflow_bits=bits, random=random)
    assert again.codes == q.codes


@LAWS
@given(data=st.data(), fmt=fxs.formats(), rounding=fxs.roundings(stochastic=False))
def test_casts_are_monotone(data, fmt, rounding):
    x = sorted(data.draw(st.lists(fxs.values(fmt), min_size=2, max_size=6)))
    for overflow in (Overflow.SATURATE, Overflow.SATURATE_SYMMETRIC):
        codes = fx.cast(x, fmt, rounding, overflow).codes.tolist()
        assert codes == sorted(codes)


@LAWS
@given(data=st.data(), fmt=fxs.formats(), rounding=fxs.roundings(), random=fxs.random_bits())
def test_the_error_is_bounded(data, fmt, rounding, random):
    x = data.draw(fxs.values(fmt))
    q = fx.cast(x, fmt, rounding, SAFE, random=random)
    error_ulp = abs(int(q.codes) - Fraction(x) / fmt.step)
    assert q.counts.saturated or error_ulp <= Fraction(rounding.max_error_ulp)
    assert (error_ulp == 0) == (not q.counts.inexact and not q.counts.saturated) or q.counts.saturated


@LAWS
@given(data=st.data(), fmt=fxs.formats(signed=True))
def test_mirrored_modes(data, fmt):
    """round(-x) == -mirror(x): pairs of directed modes mirror each other, symmetric modes themselves."""
    pairs = [
        ("floor", "ceil"),
        ("half_up", "half_down"),
        *((m, m) for m in ("toward_zero", "away_from_zero", "half_toward_zero", "half_away", "half_even", "half_odd")),
    ]
    x = data.draw(fxs.values(fmt))
    for mode, mirror in pairs:
        left = fx.cast(-x, fmt, mode, "saturate_symmetric")
        right = fx.cast(x, fmt, mirror, "saturate_symmetric")
        assert int(left.codes) == -int(right.codes)


@LAWS
@given(
    data=st.data(), fmt=fxs.formats(max_word_bits=40), more=st.integers(0, 20), rounding=fxs.roundings(stochastic=False)
)
def test_cast_chains_that_round_once(data, fmt, more, rounding):
    """Directed modes may be chained; every mode may follow ``jam_unbiased`` to two more bits."""
    x = data.draw(fxs.values(fmt))
    longer = fx.FixedFormat(word_bits=fmt.word_bits + more + 2, frac_bits=fmt.frac_bits + more + 2, signed=fmt.signed)
    middle = fx.cast(x, longer, "jam_unbiased")
    assume(not middle.counts.saturated)
    assert middle.cast(fmt, rounding).codes == fx.cast(x, fmt, rounding).codes
    for chained in ("floor", "ceil", "toward_zero", "away_from_zero"):
        twice = fx.cast(x, longer, chained).cast(fmt, chained)
        assert twice.codes == fx.cast(x, fmt, chained).codes


def test_cast_chains_that_round_twice():
    """Modes to nearest must not be chained: the first cast makes a tie of what was none."""
    for mode in ("half_up", "half_even", "half_away"):
        once = fx.cast(0.46875, "s8f0", mode)
        twice = fx.cast(0.46875, "s8f4", mode).cast("s8f1", mode).cast("s8f0", mode)
        assert once.codes == 0
        assert twice.codes == (0 if mode == "half_even" else 1)


@LAWS
@given(data=st.data(), a=fxs.formats(max_word_bits=31), b=fxs.formats(max_word_bits=31))
def test_exact_arithmetic_or_a_refusal(data, a, b):
    x, y = (data.draw(fxs.qtensors(fmt, shape=(3,))) for fmt in (a, b))
    u, v = ([int(c) * q.format.step for c in q.codes.tolist()] for q in (x, y))
    for operation in ("__add__", "__sub__", "__mul__"):
        try:
            got = getattr(x, operation)(y)
        except fx.UserError:
            assert operation != "__mul__"
            spread = max(a.frac_bits, b.frac_bits) - min(a.frac_bits - a.word_bits, b.frac_bits - b.word_bits)
            assert spread + 2 > 64
            continue
        want = [getattr(p, operation)(q) for p, q in zip(u, v, strict=True)]
        assert [int(c) * got.format.step for c in got.codes.tolist()] == want
    assert (x < y).tolist() == [p < q for p, q in zip(u, v, strict=True)]


@LAWS
@given(data=st.data(), a=fxs.formats(signed=True), b=fxs.formats(signed=True), rounding=fxs.roundings())
def test_requantized_products(data, a, b, rounding):
    x, y = (data.draw(fxs.qtensors(fmt, shape=(3,))) for fmt in (a, b))
    fmt = data.draw(fxs.formats(min_frac_bits=-140, max_frac_bits=140))
    random = fx.RandomBits(seed=1)
    got = multiply(x, y, fmt, rounding, "wrap", random=random)
    words = random.words(3).tolist()
    exact = [int(p) * int(q) * a.step * b.step for p, q in zip(x.codes, y.codes, strict=True)]
    want = [oracle.cast(v, fmt, rounding, Overflow.WRAP, noise=n) for v, n in zip(exact, words, strict=True)]
    assert got.codes.tolist() == want


@settings(LAWS, max_examples=40)
@given(data=st.data(), acc=fxs.accumulators())
def test_accumulation_is_what_the_specification_says(data, acc):
    a, b = (data.draw(fxs.formats(min_word_bits=2, max_word_bits=12, min_frac_bits=0, max_frac_bits=10)) for _ in "ab")
    terms = data.draw(st.integers(1, 12))
    x, y = data.draw(fxs.qtensors(a, shape=(1, terms))), data.draw(fxs.qtensors(b, shape=(terms, 2)))
    shift = a.frac_bits + b.frac_bits - acc.format.frac_bits
    assume(shift >= -8)
    words = acc.random.words(2 * terms).tolist() if acc.random else []
    got = fx.matmul(x, y, acc)
    for n in range(2):
        products = [int(p) * int(q) for p, q in zip(x.codes[0], y.codes[:, n], strict=True)]
        want = oracle.accumulate(
            products,
            shift,
            acc.format,
            acc.rounding,
            acc.overflow,
            order=acc.order,
            chunk=acc.chunk,
            noise=words[n * terms : (n + 1) * terms],
        )
        assert int(got.codes[0, n]) == want


@LAWS
@given(q=fxs.qtensors())
def test_bits_and_hex_read_back(q):
    for text, read in ((q.bits(), fx.QTensor.from_bits), (q.hex(), fx.QTensor.from_hex)):
        assert (read(text, q.format).codes == q.codes).all()
