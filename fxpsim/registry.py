"""Open sets (quantizers, policies, exporters ...): found by name, with the nearest match on a miss."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from fxpsim.errors import UserError

T = TypeVar("T")


def unknown(kind: str, name: str, known: Iterable[str], *, where: str = "") -> UserError:
    """Build the error for a name that is not in an open set.

    >>> print(unknown("rounding", "half_evn", ["floor", "half_even"]))
    unknown rounding 'half_evn'
      expected: one of: floor, half_even
      remedy:   did you mean 'half_even'?
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    return UserError(
        f"unknown {kind} {name!r}",
        where=where,
        expected="one of: " + ", ".join(names) if names else f"no {kind} is registered",
        remedy=f"did you mean {near[0]!r}?" if near else "use one of the listed names",
    )


class Registry(Generic[T]):
    """A named open set.

    >>> shapes = Registry("shape")
    >>> @shapes.register("square")
    ... class Square: ...
    >>> shapes["square"] is Square, list(shapes)
    (True, ['square'])
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that enters its argument under ``name``."""

        def enter(entry: T) -> T:
            assert name not in self._entries, f"{self.kind} {name!r} is registered twice"
            self._entries[name] = entry
            return entry

        return enter

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries)
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
