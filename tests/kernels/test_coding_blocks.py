"""Codes with an exponent for every block against NumPy."""

import numpy as np
import pytest

from fxpsim.kernels.coding.aligning import aligned, span_of, split, view_of
from fxpsim.kernels.coding.blocks import code_blocks, magnitude_bits
from fxpsim.kernels.coding.rounding import MODES
from fxpsim.numerics import FixedFormat, RandomBits
from fxpsim.quantizers.rounding import random_words, round_rows
from fxpsim.units.coded import repeated

WORD = FixedFormat(word_bits=8, frac_bits=0)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("mode", list(MODES))
def test_blocks_round_as_rows_do(mode, turned):
    x = (np.arange(5 * 2 * 6).reshape(5, 2, 6) - 30) / 7
    shift, bits = np.full((2, 2, 3), -2), np.full((2, 2, 3), 8)
    shift[1, 1, 2], bits[0, 0, 0] = 1, 0
    source = RandomBits(seed=2)
    words = random_words(source, x.size)
    codes, _ = code_blocks(x, (3, 2), shift, bits, np.int8, mode=MODES[mode], words=words, turned=turned)

    def rounded(by):
        ordered = np.ascontiguousarray(x.swapaxes(1, 2)) if turned else x
        got = round_rows(ordered, np.zeros(1), np.array([by]), WORD, rounding=mode, random=source)
        return got.swapaxes(1, 2) if turned else got

    wanted = rounded(4.0).copy()
    wanted[3:, 1, 4:] = rounded(0.5)[3:, 1, 4:]
    wanted[:3, 0, :2] = 0
    assert np.array_equal(codes, wanted)


def test_counts_and_magnitudes_of_large_tensors():
    x = (np.random.default_rng(1).standard_normal((9, 700, 5)) * 20).astype(np.float32)
    x[:, ::9] = 0
    bits = np.full((3, 700, 3), 4)
    bits[:, ::5] = 0
    shift = np.full(bits.shape, 2)
    codes, counts = code_blocks(x, (4, 2), shift, bits, np.int8, mode=0, words=np.zeros(1, np.uint32))
    limits = repeated(np.where(bits > 0, 7, 0), (4, 1, 2), x.shape)
    assert np.array_equal(codes, np.clip(np.rint(x / 4.0), -limits, limits))
    zero = codes == 0
    beyond = (np.abs(x / 4.0) > limits + 0.5) & (limits > 0)
    assert counts == (np.count_nonzero(zero), np.count_nonzero(zero & (x != 0)), np.count_nonzero(beyond))
    assert min(counts) > 0
    magnitudes = magnitude_bits(x, (4, 2)).view(np.float32)
    wanted = [[np.abs(x[r : r + 4, :, c : c + 2]).max(axis=(0, 2)) for c in (0, 2, 4)] for r in (0, 4, 8)]
    assert np.array_equal(magnitudes, np.array(wanted).transpose(0, 2, 1))


CUTS = [
    ((7, 3, 2, 10), (4, 1, 1, 4)),
    ((3, 3, 6, 10), (1, 1, 4, 4)),
    ((3, 3, 6, 10), (1, 1, 4, 1)),
    ((9, 3, 4, 10), (4, 1, 1, 1)),
    ((9, 3, 4, 10), (1, 1, 1, 3)),
    ((9, 3, 4, 10), (1, 3, 4, 10)),
    ((9, 3, 4, 10), (9, 3, 4, 10)),
    ((9, 10), (1, 1)),
    ((2000, 3), (16, 2)),
    ((5000,), (3,)),
]


@pytest.mark.parametrize(("shape", "cut"), CUTS)
def test_codes_move_to_the_least_place(shape, cut):
    generator = np.random.default_rng(4)
    blocks = [-(-n // length) for n, length in zip(shape, cut, strict=True)]
    exponents = generator.integers(-9, 4, blocks)
    codes = generator.integers(-127, 128, shape).astype(np.int8)
    full = repeated(exponents, cut, shape)
    codes[full < -6] = 0  # blocks of zeros, at the least exponents
    view = view_of(shape, cut)
    assert view is not None
    span = span_of(codes, exponents, view)
    if not codes.any():
        assert span is None
        return
    used = codes != 0
    assert span is not None
    assert span == (full[used].min(), full[used].max(), np.abs(codes.astype(int)).max())
    whole = codes * np.where(used, 2.0 ** (full - span.least), 0)
    assert np.array_equal(aligned(codes, exponents, view, span, (span.least, span.most)), whole)
    window = span.least + 1, span.least + 3
    inside = (full >= window[0]) & (full <= window[1])
    assert np.array_equal(aligned(codes, exponents, view, span, window), np.where(inside, whole / 2, 0))
    high, low = split(codes, exponents, view, span, 7)
    assert low.min() >= 0
    assert low.max() < 128
    assert np.array_equal(high.astype(int) * 128 + low, whole)


def test_no_view_of_blocks_in_three_directions():
    assert view_of((4, 6, 8), (2, 3, 4)) is None
    view = view_of((2, 4), (1, 4))
    assert view is not None
    assert span_of(np.zeros((2, 4), np.int8), np.zeros((2, 1), np.int64), view) is None
