"""Normalization by integers."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fxpsim.data import Dataset, InputKind, Split, Task, load
from fxpsim.data import digits as digits_file
from fxpsim.data.scaling import integer_scaling


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 3))))
def test_definition(inputs):
    offset, frac_bits = integer_scaling(inputs)
    squares = Fraction(0)
    for channel, mean in enumerate(offset.tolist()):
        column = [int(code) for code in inputs[:, channel]]
        exact = Fraction(sum(column), len(column))
        assert -Fraction(1, 2) <= mean - exact <= Fraction(1, 2)
        squares += sum((code - mean) ** 2 for code in column)
    variance = squares / inputs.size
    if variance:
        assert Fraction(1, 2) <= variance / Fraction(4) ** frac_bits < 2
    else:
        assert frac_bits == 0


def test_values_are_codes_times_a_power_of_two():
    digits = load("digits")
    codes = digits.encode(digits.train.inputs)
    assert codes.dtype == np.int16
    assert np.array_equal(digits.values(digits.train.inputs), codes * 2.0**-digits.input_frac_bits)
    assert abs(digits.values(digits.train.inputs).mean()) < 0.1
    assert 0.7 < digits.values(digits.train.inputs).std() < 1.42


def test_encode_never_wraps():
    split = Split(inputs=np.array([[0], [255]], np.uint8), targets=np.zeros(2, np.int32))
    for offset in (0, 255):
        data = Dataset(
            name="x",
            train=split,
            test=split,
            classes=1,
            kind=InputKind.FEATURES,
            task=Task.CLASSIFICATION,
            input_offset=np.array([offset], np.int16),
            input_frac_bits=0,
        )
        assert data.encode(split.inputs).ravel().tolist() == [-offset, 255 - offset]


def test_digits_are_those_of_scikit_learn(monkeypatch):
    sklearn = pytest.importorskip("sklearn.datasets")
    bunch = sklearn.load_digits()
    table = digits_file._table()
    assert table.dtype == np.uint8
    assert np.array_equal(table, np.column_stack([bunch.data, bunch.target]))
    monkeypatch.setattr(digits_file, "find_spec", lambda name: None)
    assert np.array_equal(digits_file._table(), table), "asked for, where the file is not found"


def test_digits_are_read_without_scikit_learn():
    script = "import sys; from fxpsim.data import load; load('digits'); print('sklearn' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert out.stdout.strip() == "False", "it would take a second to import"


def test_digits_split_is_stratified_and_fixed():
    digits = load("digits")
    everything = np.bincount(np.concatenate([digits.train.targets, digits.test.targets]))
    assert everything.sum() == 1797
    assert np.array_equal(np.bincount(digits.test.targets), everything // 5)
    assert digits.fingerprint() == load("digits").fingerprint()
    assert digits.fingerprint() == "cffa7197c4c7c0ac0d60660d954f2840ec7878f71bfdf7f853e6dfa104710783"


def test_fingerprint_sees_every_part():
    digits = load("digits", train_limit=50, test_limit=20)
    changed = load("digits", train_limit=50, test_limit=20)
    changed.test.targets[3] ^= 1
    assert digits.fingerprint() != changed.fingerprint()
    assert digits.fingerprint() != load("digits", train_limit=50, test_limit=21).fingerprint()


def test_limits(refused):
    whole, short = load("digits"), load("digits", train_limit=100)
    assert (len(short.train), len(short.test)) == (100, len(whole.test))
    assert np.array_equal(short.input_offset, whole.input_offset)
    assert "train_limit is 0" in refused(load, "digits", train_limit=0)
