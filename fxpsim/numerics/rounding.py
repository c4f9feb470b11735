"""The fourteen ways to bring an exact value onto the grid of a format."""

from enum import StrEnum

from fxpsim.registry import unknown


class Rounding(StrEnum):
    """How an exact value becomes a code.

    Every mode is a function of the exact value (in units of the target's last place) alone: it does not matter
    whether the value came from a float, a wider code or a product. Modes with a SystemC name have SystemC's
    meaning (IEEE 1666-2011, section 7.10.9.1).

    ==================== ============================================== ===================
    mode                 rule                                           SystemC
    ==================== ============================================== ===================
    ``floor``            toward minus infinity                          ``SC_TRN``
    ``ceil``             toward plus infinity
    ``toward_zero``      magnitude truncated                            ``SC_TRN_ZERO``
    ``away_from_zero``   magnitude rounded up
    ``half_up``          nearest, ties toward plus infinity             ``SC_RND``
    ``half_down``        nearest, ties toward minus infinity            ``SC_RND_MIN_INF``
    ``half_toward_zero`` nearest, ties toward zero                      ``SC_RND_ZERO``
    ``half_away``        nearest, ties away from zero                   ``SC_RND_INF``
    ``half_even``        nearest, ties to the even code                 ``SC_RND_CONV``
    ``half_odd``         nearest, ties to the odd code
    ``jam``              floor, then the last bit set (von Neumann)
    ``jam_unbiased``     floor, then the last bit set if inexact
    ``stochastic``       up with a probability equal to the fraction
    ``stochastic_equal`` up or down with probability 1/2, if inexact
    ==================== ============================================== ===================

    ``jam`` moves exact values too, because its hardware has the last bit wired to one. Both stochastic modes leave
    exact values alone.

    Examples
    --------
    >>> Rounding("half_even")
    <Rounding.HALF_EVEN: 'half_even'>
    >>> Rounding.STOCHASTIC.is_stochastic
    True
    """

    FLOOR = "floor"
    CEIL = "ceil"
    TOWARD_ZERO = "toward_zero"
    AWAY_FROM_ZERO = "away_from_zero"
    HALF_UP = "half_up"
    HALF_DOWN = "half_down"
    HALF_TOWARD_ZERO = "half_toward_zero"
    HALF_AWAY = "half_away"
    HALF_EVEN = "half_even"
    HALF_ODD = "half_odd"
    JAM = "jam"
    JAM_UNBIASED = "jam_unbiased"
    STOCHASTIC = "stochastic"
    STOCHASTIC_EQUAL = "stochastic_equal"

    @property
    def is_stochastic(self) -> bool:
        """Whether the mode consumes random bits."""
        return self in (Rounding.STOCHASTIC, Rounding.STOCHASTIC_EQUAL)

    @property
    def is_nearest(self) -> bool:
        """Whether the error is at most half a unit in the last place."""
        return self.value.startswith("half_")

    @property
    def max_error_ulp(self) -> float:
        """Least upper bound of the error, in units in the last place (not always reached)."""
        return 0.5 if self.is_nearest else 1.0

    @property
    def keeps_exact(self) -> bool:
        """Whether a value on the grid stays where it is (all modes but ``jam``)."""
        return self is not Rounding.JAM

    @classmethod
    def _missing_(cls, value: object) -> "Rounding":
        raise unknown("rounding", str(value), [mode.value for mode in cls])
