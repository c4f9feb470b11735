import pytest

from fxpsim import FixedFormat, UserError
from fxpsim.numerics.notations import NOTATIONS

FORMATS = [
    FixedFormat(word_bits=w, frac_bits=f, signed=s)
    for w in (1, 2, 8, 16, 33, 64)
    for f in (-7, 0, 1, 4, 8, 16, 70)
    for s in (True, False)
]


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_every_notation_and_the_repr_read_back(fmt):
    assert eval(repr(fmt)) == fmt
    assert FixedFormat.parse(str(fmt)) == fmt
    for name in NOTATIONS:
        assert FixedFormat.parse(fmt.as_notation(name)) == fmt, name


@pytest.mark.parametrize("notation", NOTATIONS.values(), ids=NOTATIONS)
def test_the_examples_all_mean_s8f4(notation):
    assert str(FixedFormat.parse(notation.example)) == "s8f4"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("u8f8", (8, 8, False)),
        ("s16f-2", (16, -2, True)),
        ("ap_ufixed< 8 , 0 >", (8, 8, False)),
        ("ac_fixed<8,4,false>", (8, 4, False)),
        ("sfix8_E2", (8, -2, True)),
        ("ufix8", (8, 0, False)),
        ("UQ4.4", (8, 4, False)),
        ("Q15", None),
        ("ufixed(3 downto -4)", (8, 4, False)),
        ("fxp-s16/8", (16, 8, True)),
    ],
)
def test_notations_of_others(text, expected):
    if expected is None:
        with pytest.raises(UserError, match="cannot read the format"):
            FixedFormat.parse(text)
    else:
        word, frac, signed = expected
        assert FixedFormat.parse(text) == FixedFormat(word_bits=word, frac_bits=frac, signed=signed)


def test_the_range_of_every_short_word_by_listing_it():
    for word in range(1, 9):
        patterns = range(1 << word)
        unsigned = FixedFormat(word_bits=word, frac_bits=3, signed=False)
        signed = FixedFormat(word_bits=word, frac_bits=3)
        twos_complement = [p - (1 << word) if p >> (word - 1) else p for p in patterns]
        assert (unsigned.min_code, unsigned.max_code) == (min(patterns), max(patterns))
        assert (signed.min_code, signed.max_code) == (min(twos_complement), max(twos_complement))
        assert signed.max == max(twos_complement) / 8
        assert signed.max_abs_code == max(abs(c) for c in twos_complement)


@pytest.mark.parametrize("word", [0, -3, 65])
def test_words_outside_one_to_64_bits_are_refused(word):
    with pytest.raises(UserError, match="1 to 64"):
        FixedFormat(word_bits=word, frac_bits=0)


def test_a_format_with_modes_says_where_modes_belong():
    with pytest.raises(UserError, match="arguments of cast"):
        FixedFormat.parse("ap_fixed<8,4,AP_RND,AP_SAT>")


def test_fractional_lengths_are_refused():
    with pytest.raises(UserError, match="whole numbers"):
        FixedFormat(word_bits=8.5, frac_bits=0)  # type: ignore[arg-type]
