"""The errors that a user sees: one clear message with what, where, expected and remedy."""


class FxpsimError(Exception):
    """Base class of every error that fxpsim raises on purpose."""


class UserError(FxpsimError, ValueError):
    """A mistake in what the user gave: what it was, where, what was expected, what to do.

    Parameters
    ----------
    what : str
        What was given or what went wrong, in one sentence.
    where : str
        The file, key, layer, tensor or argument that it concerns.
    expected : str
        What would have been right.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> print(UserError("word_bits is 99", where="FixedFormat", expected="1 to 64", remedy="choose a shorter word"))
    word_bits is 99
      where:    FixedFormat
      expected: 1 to 64
      remedy:   choose a shorter word
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", remedy: str = "") -> None:
        self.what, self.where, self.expected, self.remedy = what, where, expected, remedy
        parts = (("where:   ", where), ("expected:", expected), ("remedy:  ", remedy))
        super().__init__("\n".join([what, *(f"  {label} {text}" for label, text in parts if text)]))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.expected, self.remedy))


def _rebuild(kind: type[UserError], what: str, where: str, expected: str, remedy: str) -> UserError:
    return kind(what, where=where, expected=expected, remedy=remedy)
