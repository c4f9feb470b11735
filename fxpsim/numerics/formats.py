"""Fixed-point formats: how many bits, where the binary point is, signed or not."""

from dataclasses import dataclass
from fractions import Fraction
from operator import index

from fxpsim.errors import UserError

MAX_WORD_BITS = 64


@dataclass(frozen=True, kw_only=True)
class FixedFormat:
    """A fixed-point format: the value of a code ``c`` is ``c * 2**-frac_bits``.

    Parameters
    ----------
    word_bits : int
        Bits of the word, 1 to 64, the sign included.
    frac_bits : int
        Bits behind the binary point. May be negative (steps of 2, 4, ...) or larger than the word.
    signed : bool
        Two's complement if true.

    Raises
    ------
    UserError
        If the word is shorter than 1 or longer than 64 bits.

    Examples
    --------
    >>> fmt = FixedFormat(word_bits=8, frac_bits=4)
    >>> str(fmt), fmt.min, fmt.max, fmt.resolution
    ('s8f4', -8.0, 7.9375, 0.0625)
    >>> eval(repr(fmt)) == fmt == FixedFormat.parse("ap_fixed<8,4>")
    True
    """

    word_bits: int
    frac_bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "word_bits", index(self.word_bits))
            object.__setattr__(self, "frac_bits", index(self.frac_bits))
        except TypeError as error:
            raise UserError(
                f"word_bits={self.word_bits!r}, frac_bits={self.frac_bits!r}",
                where="FixedFormat",
                expected="whole numbers",
                remedy="FixedFormat(word_bits=8, frac_bits=4), or FixedFormat.parse('s8f4')",
            ) from error
        object.__setattr__(self, "signed", bool(self.signed))
        if not 1 <= self.word_bits <= MAX_WORD_BITS:
            raise UserError(
                f"word_bits is {self.word_bits}",
                where="FixedFormat",
                expected=f"1 to {MAX_WORD_BITS}",
                remedy="cast to a shorter word before the operation that needs the longer one",
            )

    @property
    def min_code(self) -> int:
        """The least code."""
        return -(1 << (self.word_bits - 1)) if self.signed else 0

    @property
    def max_code(self) -> int:
        """The greatest code."""
        return (1 << (self.word_bits - self.signed)) - 1

    @property
    def max_abs_code(self) -> int:
        """The greatest magnitude of a code."""
        return max(self.max_code, -self.min_code)

    @property
    def step(self) -> Fraction:
        """The exact value of one unit in the last place, ``2**-frac_bits``."""
        return Fraction(2) ** -self.frac_bits

    @property
    def resolution(self) -> float:
        """The value of one unit in the last place as a float."""
        return float(self.step)

    @property
    def min(self) -> float:
        """The least value."""
        return float(self.min_code * self.step)

    @property
    def max(self) -> float:
        """The greatest value (rounded to a float for words of more than 53 bits)."""
        return float(self.max_code * self.step)

    def contains(self, code: int) -> bool:
        """Whether ``code`` is a code of this format."""
        return self.min_code <= code <= self.max_code

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.word_bits}f{self.frac_bits}"

    @classmethod
    def parse(cls, text: "str | FixedFormat") -> "FixedFormat":
        """Read any notation that :mod:`fxpsim.numerics.notations` lists; a format is returned as it is.

        Examples
        --------
        >>> FixedFormat.parse("u8f8"), FixedFormat.parse("Q3.4")
        (FixedFormat(word_bits=8, frac_bits=8, signed=False), FixedFormat(word_bits=8, frac_bits=4, signed=True))
        """
        if isinstance(text, FixedFormat):
            return text
        from fxpsim.numerics import notations

        return cls(**notations.parse(text))

    def as_notation(self, name: str) -> str:
        """Print in the notation ``name`` of :data:`fxpsim.numerics.notations.NOTATIONS`."""
        from fxpsim.numerics import notations

        return notations.render(name, word_bits=self.word_bits, frac_bits=self.frac_bits, signed=self.signed)

    def as_ap_fixed(self) -> str:
        """Print as AMD's ``ap_fixed<W, I>``, whose ``I`` counts the sign.

        >>> FixedFormat(word_bits=8, frac_bits=4).as_ap_fixed()
        'ap_fixed<8,4>'
        """
        return self.as_notation("ap_fixed")

    def as_ac_fixed(self) -> str:
        """Print as Siemens' ``ac_fixed<W, I, S>``.

        >>> FixedFormat(word_bits=8, frac_bits=4).as_ac_fixed()
        'ac_fixed<8,4,true>'
        """
        return self.as_notation("ac_fixed")

    def as_sc_fixed(self) -> str:
        """Print as SystemC's ``sc_fixed<W, I>``.

        >>> FixedFormat(word_bits=8, frac_bits=8, signed=False).as_sc_fixed()
        'sc_ufixed<8,0>'
        """
        return self.as_notation("sc_fixed")

    def as_q(self) -> str:
        """Print as ``Qm.n``, whose ``m`` does not count the sign (Texas Instruments' convention).

        >>> FixedFormat(word_bits=8, frac_bits=4).as_q()
        'Q3.4'
        """
        return self.as_notation("q")

    def as_matlab(self) -> str:
        """Print as MATLAB's data type name.

        >>> FixedFormat(word_bits=8, frac_bits=4).as_matlab(), FixedFormat(word_bits=8, frac_bits=-2).as_matlab()
        ('sfix8_En4', 'sfix8_E2')
        """
        return self.as_notation("matlab")

    def as_fxpmath(self) -> str:
        """Print as fxpmath's dtype string.

        >>> FixedFormat(word_bits=16, frac_bits=8).as_fxpmath()
        'fxp-s16/8'
        """
        return self.as_notation("fxpmath")

    def as_vhdl(self) -> str:
        """Print as VHDL-2008's ``sfixed(left downto right)``, the exponents of the first and the last bit.

        >>> FixedFormat(word_bits=8, frac_bits=4).as_vhdl()
        'sfixed(3 downto -4)'
        """
        return self.as_notation("vhdl")
