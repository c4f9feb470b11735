"""The scalar rounding functions, in plain Python and compiled, against the specification."""

from fractions import Fraction

import numpy as np
import pytest

from fxpsim import Rounding
from fxpsim.kernels import scalar
from fxpsim.kernels.inlining import is_straight_line
from fxpsim.kernels.jit import kernel
from fxpsim.numerics.oracle import round_fraction

NOISE = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 0x12345678)
CODES = [*range(-33, 34), 2**61 + 1, 2**62, -(2**62) - 1, 2**63 - 1, -(2**63)]
FLOATS = [
    *(n / 8 for n in range(-40, 41)),
    *(s * v for s in (1, -1) for v in (0.49999999999999994, 0.5000000000000001, 1 - 2**-53, 5e-324, 1e-300)),
    *(s * v for s in (1, -1) for v in (2.0**-32, 2.0**-32 + 2.0**-60, 2.0**-33, 2.0**51 - 0.5, 2.0**51 - 1)),
]


@pytest.mark.parametrize("mode", Rounding)
def test_shift_of_codes(mode):
    function = getattr(scalar, f"round_shift_{mode.value}")
    compiled = kernel(function)
    for noise in NOISE if mode.is_stochastic else NOISE[:1]:
        for shift in (0, 1, 2, 5, 31, 32, 33, 40, scalar.MAX_SHIFT):
            for code in CODES:
                want = round_fraction(Fraction(code, 1 << shift), mode, noise)
                assert function(code, shift, noise) == want, (code, shift, noise)
                assert compiled(code, shift, noise) == want, (code, shift, noise)


@pytest.mark.parametrize("mode", Rounding)
def test_floats(mode):
    function = getattr(scalar, f"round_float_{mode.value}")
    compiled = kernel(function)
    for noise in NOISE if mode.is_stochastic else NOISE[:1]:
        for y in FLOATS:
            want = round_fraction(Fraction(y), mode, noise)
            assert float(function(y, noise)) == want, (y, noise)
            assert compiled(y, noise) == want, (y, noise)
            single = np.float32(y)
            if abs(single) < 2**22:
                want = round_fraction(Fraction(float(single)), mode, noise)
                assert float(function(single, noise)) == want, (single, noise)
                assert compiled(single, noise) == want, (single, noise)


def test_a_sticky_bit_keeps_every_rounding():
    for code in (0, 1, 5, -1, -5, 2**40 + 1, -(2**40), 2**63 - 1, -(2**63)):
        for drop in (0, 1, 3, 40, 63):
            short = scalar.sticky_shift(code, drop)
            for mode in Rounding:
                exact = Fraction(code, 1 << (drop + 40))
                assert round_fraction(Fraction(short, 1 << 40), mode, 1 << 31) == round_fraction(exact, mode, 1 << 31)


def test_generators_can_inline_every_mode():
    for mode in Rounding:
        assert is_straight_line(getattr(scalar, f"round_shift_{mode.value}"))
        assert is_straight_line(getattr(scalar, f"round_float_{mode.value}"))
