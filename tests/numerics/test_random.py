import numpy as np
import pytest

from fxpsim import RandomBits, UserError
from fxpsim.kernels import random as kernels
from fxpsim.kernels.jit import kernel
from fxpsim.numerics import LfsrBits
from fxpsim.numerics.threefry import threefry2x32

ONES = 0xFFFFFFFF
# Known answers of Random123 1.14 (kat_vectors): rounds, counter, key, result
KNOWN = [
    (13, (0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
    (13, (ONES, ONES), (ONES, ONES), (0xFD36D048, 0x2D17272C)),
    (20, (0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    (20, (ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
    (20, (0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("rounds", "counter", "key", "want"), KNOWN)
def test_known_answers_of_the_generator(rounds, counter, key, want):
    c0, c1 = (np.array([c], np.uint32) for c in counter)
    got = threefry2x32(c0, c1, *key, rounds=rounds)
    assert tuple(int(w[0]) for w in got) == want


def test_kernels_and_numpy_make_the_same_words():
    random = RandomBits(seed=2**63 + 5, stream=7)
    words = random.words(3 * kernels.GROUP)
    compiled = kernel(kernels.random_word)
    for i in (0, 1, 1023, 1024, 2047, 2048, 5000):
        assert kernels.random_word(i, *random.key) == compiled(i, *random.key) == words[i]
    out = np.empty(kernels.GROUP, np.uint32)
    kernels.fill_words(kernels.GROUP, *random.key, out)
    np.testing.assert_array_equal(out, words[kernels.GROUP : 2 * kernels.GROUP])


def test_words_far_out_use_the_high_counter():
    random = RandomBits(seed=1)
    start = (1 << 43) + 12345
    far = random.words(3, start=start)
    assert [kernels.random_word(start + i, *random.key) for i in range(3)] == far.tolist()
    # the low half of the counter repeats after 2**32 blocks: the high half must tell them apart
    assert (random.words(64, start=1 << 33) != random.words(64)).any()


def test_a_word_depends_on_its_index_alone():
    random = RandomBits(seed=3, stream=4)
    whole = random.words(5000)
    np.testing.assert_array_equal(random.words(10, start=1020), whole[1020:1030])


def test_streams_and_labels_are_distinct():
    base = RandomBits(seed=1)
    streams = [base, RandomBits(seed=2), RandomBits(seed=1, stream=1)]
    streams += [
        base.derive("a", "b"),
        base.derive("ab"),
        base.derive(1),
        base.derive("1"),
        base.derive("a").derive("b"),
    ]
    assert len({stream.key for stream in streams}) == len(streams)
    assert base.derive() is base
    assert eval(repr(streams[3])) == streams[3]


def test_fewer_bits_are_the_leading_ones():
    full = RandomBits(seed=9).words(100)
    few = RandomBits(seed=9, bits=5).words(100)
    np.testing.assert_array_equal(few, full & np.uint32(0xF8000000))
    with pytest.raises(UserError, match="1 to 32"):
        RandomBits(bits=0)


def test_words_are_uniform_and_uncorrelated():
    words = RandomBits(seed=11).words(1 << 16).astype(np.float64) / 2**32
    # standard deviation of the mean of uniform numbers: sqrt(1/12/n); 5 sigma
    assert abs(words.mean() - 0.5) < 5 * (1 / 12 / words.size) ** 0.5
    for lag in (1, 2, 1024):
        correlation = np.corrcoef(words[:-lag], words[lag:])[0, 1]
        assert abs(correlation) < 5 / words.size**0.5
    bits = RandomBits(seed=12).words(1 << 14)
    for place in range(32):
        ones = int(((bits >> np.uint32(place)) & 1).sum())
        assert abs(ones - bits.size / 2) < 5 * bits.size**0.5 / 2


@pytest.mark.parametrize("bits", [4, 5, 6, 7, 8, 10, 12, 16])
def test_default_taps_are_maximal(bits):
    period = (1 << bits) - 1
    states = LfsrBits(bits=bits).words(period + 1) >> np.uint32(32 - bits)
    assert len(set(states[:period].tolist())) == period
    assert 0 not in states
    assert states[0] == states[period]


def test_lanes_of_registers_are_shifted_copies():
    single = LfsrBits(bits=8, seed=5).words(400)
    lanes = LfsrBits(bits=8, seed=5, lanes=4, spacing=10).words(40)
    for lane in range(4):
        np.testing.assert_array_equal(lanes[lane::4], single[10 * lane : 10 * lane + 10])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [({"seed": 0}, "seed is zero"), ({"bits": 9}, "no taps"), ({"lanes": 0}, "at least one lane")],
)
def test_unusable_registers_are_refused(arguments, match):
    with pytest.raises(UserError, match=match):
        LfsrBits(**arguments)
