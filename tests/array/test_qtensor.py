import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import fxpsim as fx
from fxpsim.array import CastCounts, Scale, concatenate, stack


@pytest.fixture
def q():
    return fx.QTensor([[24, -8, 1], [4, 0, -128]], "s8f4")


def test_codes_format_and_value(q):
    assert q.codes.dtype == np.int8
    assert (q.shape, q.ndim, q.size, len(q)) == ((2, 3), 2, 6, 2)
    np.testing.assert_array_equal(q.value, np.array([[24, -8, 1], [4, 0, -128]]) / 16)
    np.testing.assert_array_equal(np.asarray(q), q.value)
    assert np.asarray(q, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="without a copy"):
        np.array(q, copy=False)


def test_the_storage_type_is_the_shortest_that_holds_the_word():
    for word, dtype in [(1, np.int8), (8, np.int8), (9, np.int16), (17, np.int32), (33, np.int64), (64, np.int64)]:
        assert fx.QTensor([0], f"s{word}f0").codes.dtype == dtype
        assert fx.QTensor([0], f"u{word}f0").codes.dtype == np.dtype(dtype).name.replace("int", "uint")


def test_indexing(q):
    np.testing.assert_array_equal(q[1].codes, [4, 0, -128])
    np.testing.assert_array_equal(q[:, ::2].codes, [[24, 1], [4, -128]])
    np.testing.assert_array_equal(q[q > 0].codes, [24, 1, 4])
    assert float(q[0, 0]) == 1.5
    assert [row.shape for row in q] == [(3,), (3,)]
    assert q[0, 0].format == q.format


def test_printing_shows_codes_format_and_value(q):
    assert repr(q[:, 0]) == "QTensor(codes=[24,  4], format=s8f4, value=[1.5 , 0.25])"
    assert "..." in repr(fx.QTensor(np.zeros(1000, int), "s8f4"))


def test_bits_and_hex_read_back():
    for name in ("s8f4", "u5f0", "s13f2", "s64f1", "u64f1", "s1f0"):
        fmt = fx.FixedFormat.parse(name)
        codes = [fmt.min_code, fmt.max_code, 0, fmt.max_code // 3]
        q = fx.QTensor(np.array(codes, dtype=object), fmt)
        assert {len(text) for text in q.bits().tolist()} == {fmt.word_bits}
        assert fx.QTensor.from_bits(q.bits(), fmt).codes.tolist() == codes
        assert fx.QTensor.from_hex(q.hex(), fmt).codes.tolist() == codes
    for text in ("102", "11", "0000"):
        with pytest.raises(fx.UserError, match="3 digits of base 2"):
            fx.QTensor.from_bits([text], "s3f0")


def test_codes_out_of_range_and_floats_are_refused():
    with pytest.raises(fx.UserError, match="-128 to 127"):
        fx.QTensor([128], "s8f4")
    with pytest.raises(fx.UserError, match="cast\\(values, format\\)"):
        fx.QTensor([1.5], "s8f4")
    with pytest.raises(fx.UserError, match="codes from -1 to -1"):
        fx.QTensor([-1], "u8f0")


def test_copies_and_pickles(q):
    for other in (copy.deepcopy(q), pickle.loads(pickle.dumps(q))):
        assert (other == q).all()
        assert other.format == q.format
        assert other.counts == q.counts


def test_values_of_long_words_round_to_nearest():
    q = fx.QTensor(np.array([2**63 - 1, 2**53 + 1], dtype=object), "s64f0")
    np.testing.assert_array_equal(q.value, [2.0**63, 2.0**53])
    assert fx.QTensor([1], "s8f1100").value[0] == 0.0
    assert fx.QTensor([1], "s8f1074").value[0] == 5e-324


def test_joining_meets_in_the_common_format():
    a, b = fx.QTensor([-3], "s4f0"), fx.QTensor([200], "u8f6")
    for joined in (concatenate([a, b]), np.concatenate([a, b])):
        assert str(joined.format) == "s10f6"
        np.testing.assert_array_equal(joined.value, [-3.0, 3.125])
    assert stack([a, a]).shape == (2, 1)
    with pytest.raises(fx.UserError, match="at most 64 bits"):
        concatenate([fx.QTensor([1], "s40f0"), fx.QTensor([1], "s40f40")])


def test_numpy_functions_are_exact_or_refused(q):
    assert isinstance(np.add(q, q), fx.QTensor)
    assert isinstance(np.matmul(q, q.T), fx.QTensor)
    assert (np.abs(q) >= 0).all()
    assert np.less(q, 1.0).dtype == bool
    assert (np.sum(q, axis=0) == q.sum(axis=0)).all()
    assert np.transpose(q).shape == (3, 2)
    assert np.shape(q) == (2, 3)
    for call in (lambda: np.exp(q), lambda: np.add.reduce(q), lambda: np.median(q), lambda: np.add(q, 1, out=q.value)):
        with pytest.raises(fx.UserError, match=r"numpy.asarray\(q\)"):
            call()
    with pytest.raises(fx.UserError, match="no fixed-point format"):
        q + np.ones(3)


def test_scales_per_tensor_channel_row_and_block():
    codes = np.arange(-12, 12).reshape(4, 6)
    channel = np.array([1.0, 0.5, 0.25, 2.0, 4.0, 0.1])
    block = np.array([[1.0, 2.0], [0.5, 0.25]])
    cases = {
        "tensor": (Scale.per_tensor(0.3, zero_point=2), (codes - 2) * 0.3),
        "channel": (Scale.per_channel(channel, axis=1, ndim=2), codes * channel),
        "row": (Scale.per_channel(channel[:4], zero_point=[1, 2, 3, 4], axis=0, ndim=2), None),
        "block": (Scale.per_block(block, (3, 4)), None),
    }
    cases["row"] = (cases["row"][0], (codes - np.array([[1], [2], [3], [4]])) * channel[:4, None])
    cases["block"] = (cases["block"][0], codes * np.repeat(np.repeat(block, 3, 0), 4, 1)[:4, :6])
    for name, (scale, want) in cases.items():
        q = fx.QTensor(codes, "s8f0", scale=scale)
        np.testing.assert_array_equal(q.value, want, err_msg=name)
        np.testing.assert_array_equal(q[1:, ::2].value, want[1:, ::2], err_msg=name)
        np.testing.assert_array_equal(q.T.value, want.T, err_msg=name)
        # casting the values back finds the codes
        back = fx.cast(q, "s8f0", scale=scale)
        np.testing.assert_array_equal(back.codes, codes, err_msg=name)
        assert back.counts.inexact == 0


def test_cast_to_steps_that_are_powers_of_two_is_exact():
    x = np.array([[0.49999999999999994, 3.0], [-2.5, 0.74]])
    scale = Scale.per_channel([1.0, 0.25], axis=1, ndim=2)
    q = fx.cast(x, "s8f0", "half_up", scale=scale)
    np.testing.assert_array_equal(q.codes, [[0, 12], [-2, 3]])


def test_scaled_arithmetic_is_exact_or_refused():
    a = fx.QTensor([[1, 2]], "s8f0", scale=Scale.per_tensor(0.5))
    b = fx.QTensor([[3], [4]], "s8f0", scale=Scale.per_tensor(0.25))
    np.testing.assert_array_equal((a * b).value, a.value * b.value)
    np.testing.assert_array_equal((a @ b).value, a.value @ b.value)
    rows = fx.QTensor([[1, 2], [3, 4]], "s8f0", scale=Scale.per_channel([0.5, 2.0], axis=0, ndim=2))
    np.testing.assert_array_equal((rows @ b).value, rows.value @ b.value)
    for refused in (lambda: a + b, lambda: -a, a.sum, lambda: a < b, lambda: rows.T @ rows):
        with pytest.raises(fx.UserError, match=r"scale"):
            refused()
    with pytest.raises(fx.UserError, match="one step per tensor"):
        fx.QTensor([1, 2, 3], "s8f0", scale=Scale(step=np.ones(2)))
    with pytest.raises(fx.UserError, match="positive"):
        Scale.per_tensor(-1.0)


def test_counts_add_up():
    total = CastCounts(elements=2, saturated=1) + CastCounts(elements=2, flushed=1, inexact=2, wrapped=1)
    assert total == CastCounts(elements=4, saturated=1, wrapped=1, flushed=1, inexact=2)
    assert (total.saturated_share, total.flushed_share, CastCounts().saturated_share) == (0.25, 0.25, 0.0)


def test_formats_are_light_to_import():
    code = (
        "import sys, fxpsim as fx; fx.FixedFormat(word_bits=8, frac_bits=4); fx.Rounding('floor'); "
        "sys.exit(any(name in sys.modules for name in ('numba', 'scipy', 'pandas', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
