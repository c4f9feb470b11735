"""The six ways to bring a rounded value into the range of a format."""

from enum import StrEnum

from fxpsim.errors import UserError
from fxpsim.registry import unknown


class Overflow(StrEnum):
    """What happens to a rounded code that the word cannot hold.

    Rounding comes first, overflow second (IEEE 1666-2011, section 7.10.9.2). ``wrap`` and ``wrap_sign_magnitude``
    take ``overflow_bits``, SystemC's ``n_bits``: that many leading bits saturate while the others wrap.

    ======================= ================================================== ==================
    mode                    rule                                               SystemC
    ======================= ================================================== ==================
    ``saturate``            clamp to the range                                 ``SC_SAT``
    ``saturate_symmetric``  clamp to [-max, max]; the least code goes too      ``SC_SAT_SYM``
    ``saturate_zero``       zero                                               ``SC_SAT_ZERO``
    ``wrap``                keep the low bits                                  ``SC_WRAP``
    ``wrap_sign_magnitude`` wrap and invert, so that the transfer curve is     ``SC_WRAP_SM``
                            continuous (signed formats only)
    ``raise``               an error
    ======================= ================================================== ==================

    Examples
    --------
    >>> Overflow("saturate"), Overflow.WRAP.takes_bits
    (<Overflow.SATURATE: 'saturate'>, True)
    """

    SATURATE = "saturate"
    SATURATE_SYMMETRIC = "saturate_symmetric"
    SATURATE_ZERO = "saturate_zero"
    WRAP = "wrap"
    WRAP_SIGN_MAGNITUDE = "wrap_sign_magnitude"
    RAISE = "raise"

    @property
    def takes_bits(self) -> bool:
        """Whether ``overflow_bits`` may be other than zero."""
        return self in (Overflow.WRAP, Overflow.WRAP_SIGN_MAGNITUDE)

    @classmethod
    def _missing_(cls, value: object) -> "Overflow":
        raise unknown("overflow", str(value), [mode.value for mode in cls])


class Flavor(StrEnum):
    """Whose reading of the corners: SystemC's (default), AMD's ``ap_fixed`` or Siemens' ``ac_fixed``.

    ``ap``: ``saturate_symmetric`` leaves -1 alone in a signed one-bit word; ``wrap`` with ``overflow_bits`` sets the
    leading bits of an unsigned word to one for a negative source too; ``wrap_sign_magnitude`` without
    ``overflow_bits`` looks at the deleted bit of the value before rounding. ``ac``: only the first of these.
    """

    SYSTEMC = "systemc"
    AP = "ap"
    AC = "ac"

    @classmethod
    def _missing_(cls, value: object) -> "Flavor":
        raise unknown("flavor", str(value), [flavor.value for flavor in cls])


def check_overflow(overflow: Overflow, overflow_bits: int, *, signed: bool, where: str) -> None:
    """Refuse what IEEE 1666 leaves undefined.

    Raises
    ------
    UserError
        ``overflow_bits`` negative or given to a mode without them; ``wrap_sign_magnitude`` for an unsigned format.
    """
    if overflow_bits < 0 or (overflow_bits and not overflow.takes_bits):
        raise UserError(
            f"overflow_bits={overflow_bits} with overflow={overflow.value!r}",
            where=where,
            expected="0, or for wrap and wrap_sign_magnitude 0 to the word length",
            remedy="drop overflow_bits or choose overflow='wrap'",
        )
    if overflow is Overflow.WRAP_SIGN_MAGNITUDE and not signed:
        raise UserError(
            "overflow='wrap_sign_magnitude' with an unsigned format",
            where=where,
            expected="a signed format (IEEE 1666 defines the mode for those only)",
            remedy="use overflow='wrap' or a signed format",
        )
