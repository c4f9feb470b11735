"""Strided input gradients, phase by phase, against the same over spread-out errors."""

import numpy as np
import pytest

from fxpsim.errors import UserError
from fxpsim.kernels import mac
from fxpsim.kernels.mac import MacSpec, dispatch
from fxpsim.numerics import Overflow, Rounding

SPECS = [
    MacSpec(word_bits=40),
    MacSpec(word_bits=17, overflow=Overflow.SATURATE),
    MacSpec(word_bits=14, overflow=Overflow.SATURATE, product_shift=6, rounding=Rounding.HALF_EVEN),
    MacSpec(word_bits=14, overflow=Overflow.WRAP_SIGN_MAGNITUDE, product_shift=6, rounding=Rounding.JAM_UNBIASED),
]


@pytest.mark.parametrize("stride", [2, 3, (1, 2), (2, 1)])
@pytest.mark.parametrize("padding", [0, 1, ((0, 1), (2, 0))])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 4)])
def test_phases_change_nothing(stride, padding, kernel, monkeypatch):
    random, phased = np.random.default_rng(1), []
    found = dispatch.has_phases
    for dilation, groups, spec in ((d, g, s) for d in (1, 2) for g in (1, 4) for s in SPECS):
        w = random.integers(-200, 200, (*kernel, 4 // groups, 8)).astype(np.int16)
        window = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        x = np.zeros((2, 9, 8, 4), np.int16)
        try:
            shape = mac.conv2d(x, w, spec, **window, x_bound=200, w_bound=200).codes.shape
        except UserError:  # the dilated kernel is larger than the image
            continue
        e = random.integers(-200, 200, shape).astype(np.int16)
        results = []
        for decide in (found, lambda *arguments: False):
            monkeypatch.setattr(dispatch, "has_phases", lambda *a, f=decide: phased.append(f(*a)) or phased[-1])
            result = mac.conv2d_input_grad(e, w, spec, **window, input_shape=x.shape, e_bound=200, w_bound=200)
            results.append(result)
        one, other = results
        np.testing.assert_array_equal(one.codes, other.codes)
        for name in ("overflowed", "max_abs", "products", "flushed", "inexact"):
            assert getattr(one, name) == getattr(other, name), name
    assert any(phased)


@pytest.mark.parametrize(
    ("spec", "cut"),
    [
        (MacSpec(order="chunked"), False),
        (MacSpec(product_shift=3, rounding=Rounding.STOCHASTIC), False),
        (MacSpec(product_shift=3, rounding=Rounding.JAM), False),
        (MacSpec(word_bits=16, overflow=Overflow.SATURATE), True),
    ],
)
def test_only_products_without_an_index_are_left_out(spec, cut, monkeypatch):
    asked, decide = [], dispatch.has_phases
    monkeypatch.setattr(dispatch, "has_phases", lambda *a: asked.append(decide(*a)) or asked[-1])
    e, w = np.ones((1, 4, 4, 2), np.int8), np.ones((3, 3, 2, 2), np.int8)
    mac.conv2d_input_grad(e, w, spec, stride=2, padding=1, input_shape=(1, 8, 8, 2), e_bound=127, w_bound=127)
    assert asked == [cut]
