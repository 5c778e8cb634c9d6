"""A value that must never be shown: passwords, tokens, keys."""

from __future__ import annotations

from typing import Final


class Secret:
    """A value that shows itself to nobody by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(redacted)"

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value


NOTHING: Final = Secret("")
