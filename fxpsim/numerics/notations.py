"""How others write a format, read and printed.

A word of W bits with F behind the point has three different "integer bits" in use, which is a constant source of
errors by one. We never have such a number in a public name; here it is translated:

=========================================== ================= ======================================
convention                                  s8f4              who
=========================================== ================= ======================================
bits before the point, the sign counted     W - F = 4         ap_fixed, ac_fixed, sc_fixed, APyTypes
bits before the point, the sign not counted W - F - 1 = 3     Qm.n (Texas Instruments), fxpmath, HGQ
exponent of the first bit of the word       W - F - 1 = 3     VHDL ``sfixed(3 downto -4)``; for u8f4
                                                              it is 3 as well, where both others say 4
=========================================== ================= ======================================

ARM writes Qm.n with the sign counted (its Q4.4 is our s8f4); a Q name is read in Texas Instruments' sense.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from fxpsim.errors import UserError


class Fields(TypedDict):
    """The arguments of :class:`~fxpsim.numerics.FixedFormat`."""

    word_bits: int
    frac_bits: int
    signed: bool


@dataclass(frozen=True, kw_only=True)
class Notation:
    """One way to write a format.

    Parameters
    ----------
    example : str
        How ``s8f4`` looks in it.
    pattern : re.Pattern
        What a whole name looks like.
    read : callable
        Fields from a match of ``pattern``.
    write : callable
        Name from ``(word_bits, frac_bits, signed)``.
    """

    example: str
    pattern: re.Pattern[str]
    read: Callable[[re.Match[str]], Fields]
    write: Callable[[int, int, bool], str]


def _fields(word_bits: int, frac_bits: int, signed: bool) -> Fields:
    return {"word_bits": word_bits, "frac_bits": frac_bits, "signed": signed}


def _read_own(m: re.Match[str]) -> Fields:
    return _fields(int(m[2]), int(m[3]), m[1] == "s")


def _read_fixed(m: re.Match[str]) -> Fields:
    return _fields(int(m[2]), int(m[2]) - int(m[3]), not m[1])


def _read_ac(m: re.Match[str]) -> Fields:
    return _fields(int(m[1]), int(m[1]) - int(m[2]), m[3] in ("true", "1"))


def _read_q(m: re.Match[str]) -> Fields:
    signed = not m[1]
    return _fields(int(m[2]) + int(m[3]) + signed, int(m[3]), signed)


def _read_matlab(m: re.Match[str]) -> Fields:
    exponent = int(m[4] or 0)
    return _fields(int(m[2]), exponent if m[3] == "n" else -exponent, m[1] == "s")


def _read_vhdl(m: re.Match[str]) -> Fields:
    left, right = int(m[2]), int(m[3])
    return _fields(left - right + 1, -right, m[1] == "s")


def _write_matlab(w: int, f: int, s: bool) -> str:
    scale = f"_En{f}" if f > 0 else f"_E{-f}" if f < 0 else ""
    return f"{'s' if s else 'u'}fix{w}{scale}"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text.replace(" ", r"\s*"))


NOTATIONS: dict[str, Notation] = {
    "fxpsim": Notation(
        example="s8f4",
        pattern=_pattern(r"([su])(\d+)f([+-]?\d+)"),
        read=_read_own,
        write=lambda w, f, s: f"{'s' if s else 'u'}{w}f{f}",
    ),
    "ap_fixed": Notation(
        example="ap_fixed<8,4>",
        pattern=_pattern(r"ap_(u?)fixed < (\d+) , ([+-]?\d+) >"),
        read=_read_fixed,
        write=lambda w, f, s: f"ap_{'' if s else 'u'}fixed<{w},{w - f}>",
    ),
    "sc_fixed": Notation(
        example="sc_fixed<8,4>",
        pattern=_pattern(r"sc_(u?)fixed < (\d+) , ([+-]?\d+) >"),
        read=_read_fixed,
        write=lambda w, f, s: f"sc_{'' if s else 'u'}fixed<{w},{w - f}>",
    ),
    "ac_fixed": Notation(
        example="ac_fixed<8,4,true>",
        pattern=_pattern(r"ac_fixed < (\d+) , ([+-]?\d+) , (true|false|1|0) >"),
        read=_read_ac,
        write=lambda w, f, s: f"ac_fixed<{w},{w - f},{'true' if s else 'false'}>",
    ),
    "q": Notation(
        example="Q3.4",
        pattern=_pattern(r"(U?)Q([+-]?\d+)\.([+-]?\d+)"),
        read=_read_q,
        write=lambda w, f, s: f"{'' if s else 'U'}Q{w - f - s}.{f}",
    ),
    "matlab": Notation(
        example="sfix8_En4",
        pattern=_pattern(r"([su])fix(\d+)(?:_E(n?)(\d+))?"),
        read=_read_matlab,
        write=_write_matlab,
    ),
    "fxpmath": Notation(
        example="fxp-s8/4",
        pattern=_pattern(r"fxp-([su])(\d+)/([+-]?\d+)"),
        read=_read_own,
        write=lambda w, f, s: f"fxp-{'s' if s else 'u'}{w}/{f}",
    ),
    "vhdl": Notation(
        example="sfixed(3 downto -4)",
        pattern=_pattern(r"([su])fixed \( ([+-]?\d+) downto ([+-]?\d+) \)"),
        read=_read_vhdl,
        write=lambda w, f, s: f"{'s' if s else 'u'}fixed({w - f - 1} downto {-f})",
    ),
}


def parse(text: str) -> Fields:
    """Return the fields of the format that ``text`` names in any of :data:`NOTATIONS`.

    >>> parse("ufix8_En8")
    {'word_bits': 8, 'frac_bits': 8, 'signed': False}
    """
    stripped = str(text).strip()
    for notation in NOTATIONS.values():
        if match := notation.pattern.fullmatch(stripped):
            return notation.read(match)
    modes = re.search(r"_(RND|TRN|SAT|WRAP)", stripped)
    raise UserError(
        f"cannot read the format {text!r}",
        where="FixedFormat.parse",
        expected="one of: " + ", ".join(n.example for n in NOTATIONS.values()),
        remedy="leave the modes out: they are arguments of cast" if modes else "write it as s8f4: sign, word, fraction",
    )


def render(name: str, *, word_bits: int, frac_bits: int, signed: bool) -> str:
    """Print a format in the notation ``name``.

    >>> render("q", word_bits=16, frac_bits=15, signed=True)
    'Q0.15'
    """
    return NOTATIONS[name].write(word_bits, frac_bits, signed)
