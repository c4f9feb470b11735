"""Numbers as a person reads them."""

import math

_PREFIXES = {15: "P", 12: "T", 9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "µ", -9: "n", -12: "p"}


def scaled(value: float | None, unit: str = "", *, digits: int = 3) -> str:
    """Return ``value`` with an SI prefix.

    >>> scaled(1234567, "MAC"), scaled(0.00042, "s"), scaled(0, "J"), scaled(999.9, "J")
    ('1.23 MMAC', '420 µs', '0 J', '1 kJ')
    """
    if value is None or math.isnan(value):
        return "–"
    if value == 0:
        return f"0 {unit}".rstrip()
    # the exponent of the rounded value: 999.9 reads 1 k and not 1000
    exponent = int(f"{abs(value):.{digits - 1}e}".partition("e")[2])
    group = min(max(3 * (exponent // 3), min(_PREFIXES)), max(_PREFIXES))
    return f"{significant(value / 10.0**group, digits)} {_PREFIXES[group]}{unit}".rstrip()


def significant(value: float, digits: int = 3) -> str:
    """Return ``value`` with so many significant digits and no exponent.

    >>> significant(3.14159), significant(1234.6), significant(0.5)
    ('3.14', '1235', '0.5')
    """
    if value == 0:
        return "0"
    places = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float | None, places: int = 1) -> str:
    """Return a share as percent; a share that would read as none at all is given as a bound.

    >>> percent(0.9712), percent(0.0), percent(2e-5), percent(None)
    ('97.1 %', '0 %', '< 0.1 %', '–')
    """
    if share is None or math.isnan(share):
        return "–"
    if share == 0:
        return "0 %"
    if 0 < share < 0.5 * 10.0 ** -(places + 2):
        return f"< {10.0**-places:.{places}f} %"
    return f"{100 * share:.{places}f} %"


def ratio(value: float | None) -> str:
    """Return a ratio.

    >>> ratio(3.987), ratio(12.3456)
    ('3.99 ×', '12.3 ×')
    """
    return "–" if value is None or math.isnan(value) else f"{significant(value)} ×"


def signed(value: float) -> str:
    """Return a difference with two places and its sign.

    >>> signed(0.281), signed(-1.1)
    ('+0.28', '−1.10')
    """
    return f"{value:+.2f}".replace("-", "−")


def count(value: float) -> str:
    r"""Return a whole number with thin spaces between thousands.

    >>> count(1234567)
    '1\u2009234\u2009567'
    """
    return f"{value:,.0f}".replace(",", "\u2009")


def duration(seconds: float) -> str:
    """Return a time.

    >>> duration(5.21), duration(83), duration(7384)
    ('5.2 s', '1 min 23 s', '2 h 3 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def plural(number: float, noun: str) -> str:
    r"""Return a number with its noun.

    >>> plural(1, "step"), plural(2000, "step")
    ('1 step', '2\u2009000 steps')
    """
    text = count(number) if number == int(number) else significant(number)
    return f"{text} {noun}" if number == 1 else f"{text} {noun}s"
