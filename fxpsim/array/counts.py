"""What happened to the elements of a cast or an accumulation."""

from dataclasses import dataclass

from fxpsim.numerics import Overflow


@dataclass(frozen=True, kw_only=True)
class CastCounts:
    """Exact counters of one operation.

    A cast rounds its elements; an accumulation rounds its products and brings its sums into range.

    Parameters
    ----------
    elements : int
        Elements of the result.
    saturated : int
        Values outside the range that a saturating mode (or ``raise``) caught. For an accumulation: updates of the
        running sum that left the range.
    wrapped : int
        Values outside the range that wrapped. For an accumulation with ``wrap``: outputs whose exact sum is outside.
    flushed : int
        Values (products of an accumulation) other than zero that were rounded to zero.
    inexact : int
        Values (products of an accumulation) that rounding changed, before overflow.
    products : int
        Products that an accumulation added; 0 for a cast. Padding makes none.

    Examples
    --------
    >>> CastCounts(elements=4, saturated=1).saturated_share
    0.25
    """

    elements: int = 0
    saturated: int = 0
    wrapped: int = 0
    flushed: int = 0
    inexact: int = 0
    products: int = 0

    @property
    def saturated_share(self) -> float:
        """Share of the elements that were saturated."""
        return self.saturated / self.elements if self.elements else 0.0

    @property
    def flushed_share(self) -> float:
        """Share of what was rounded that was flushed to zero (underflow)."""
        return self.flushed / self.rounded if self.rounded else 0.0

    @property
    def inexact_share(self) -> float:
        """Share of what was rounded that rounding changed."""
        return self.inexact / self.rounded if self.rounded else 0.0

    @property
    def rounded(self) -> int:
        """Values that passed a rounding: the products of an accumulation, the elements of a cast."""
        return self.products or self.elements

    def __add__(self, other: "CastCounts") -> "CastCounts":
        return CastCounts(
            elements=self.elements + other.elements,
            saturated=self.saturated + other.saturated,
            wrapped=self.wrapped + other.wrapped,
            flushed=self.flushed + other.flushed,
            inexact=self.inexact + other.inexact,
            products=self.products + other.products,
        )


def overflow_counts(
    elements: int, overflow: Overflow, overflowed: int, flushed: int = 0, inexact: int = 0, products: int = 0
) -> CastCounts:
    """Enter the overflows under the name that the mode gives them."""
    wraps = overflow.takes_bits
    return CastCounts(
        elements=elements,
        saturated=0 if wraps else overflowed,
        wrapped=overflowed if wraps else 0,
        flushed=flushed,
        inexact=inexact,
        products=products,
    )
