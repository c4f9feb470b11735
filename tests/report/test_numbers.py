"""Numbers as a person reads them."""

import math

import pytest

from fxpsim.report.numbers import count, duration, percent, plural, ratio, scaled, signed, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 J"),
        (1, "1 J"),
        (999.4, "999 J"),
        (999.6, "1 kJ"),
        (1e6, "1 MJ"),
        (-2500, "-2.5 kJ"),
        (3.333e-12, "3.33 pJ"),
        (5e-14, "0.05 pJ"),
        (4e17, "400 PJ"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_scaled(value, text):
    assert scaled(value, "J") == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (1, "100.0 %"), (0.5, "50.0 %"), (4e-4, "< 0.1 %"), (6e-4, "0.1 %"), (None, "–")]
)
def test_percent(share, text):
    assert percent(share) == text


def test_others():
    assert significant(6.768) == "6.77"
    assert significant(8.0) == "8"
    assert significant(120.0) == "120"
    assert significant(0.01234) == "0.0123"
    assert ratio(None) == "–"
    assert signed(-0.004) == "−0.00"
    assert plural(1, "epoch") == "1 epoch"
    assert plural(2.5, "epoch") == "2.5 epochs"
    assert count(999) == "999"
    assert duration(59.96) == "60.0 s"
