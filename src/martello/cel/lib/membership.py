"""Which values a list holds: by hash for scalars, by CEL equality for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from martello.cel.equality import NUMBERS, equals
from martello.cel.values import EvalError

_MAX_COMPARED: Final = 5_000_000


class Members:
    """A growing set of CEL values."""

    __slots__ = ("_others", "_scalars", "_work")

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._scalars: set[tuple[str, Any]] = set()
        self._others: list[Any] = []
        self._work = _MAX_COMPARED
        for item in items:
            self.add(item)

    def add(self, value: Any) -> None:
        """Take a value in."""
        key = _key(value)
        if key is None:
            self._others.append(value)
        else:
            self._scalars.add(key)

    def __contains__(self, value: Any) -> bool:
        if value != value:
            return False
        key = _key(value)
        if key is not None:
            return key in self._scalars
        self._work -= len(self._others)
        if self._work < 0:
            raise EvalError("cost: too many comparisons")
        return any(equals(value, other) for other in self._others)


def _key(value: Any) -> tuple[str, Any] | None:
    kind = type(value)
    if kind in NUMBERS:
        return ("number", value)
    if kind in (str, bool, bytes):
        return (kind.__name__, value)
    return None
