"""The regex library of Kubernetes, `find` and `findAll`, and what the standard `matches` calls."""

from __future__ import annotations

from typing import Final

from martello.cel import re2
from martello.cel.types import INT, STRING, Library, Overload, list_of


def matches(text: str, pattern: str) -> bool:
    """Whether the pattern occurs anywhere in the text."""
    return re2.compile(pattern).matches(text)


def find(text: str, pattern: str) -> str:
    """The first match, or the empty string."""
    match = re2.compile(pattern).find(text)
    return "" if match is None else text[match[0] : match[1]]


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """Up to `limit` matches; a negative limit means all of them."""
    found = re2.compile(pattern).find_all(text, limit)
    return [text[match[0] : match[1]] for match in found]


def _find_cost(text: str, pattern: str, *_rest: object) -> int:
    return -(-(len(text) + 1) // 10) * -(-len(pattern) // 4)


_TEXTS: Final = list_of(STRING)
_TWO: Final = (STRING, STRING)
_ALL_WITH_LIMIT: Final = (STRING, STRING, INT)

LIBRARY: Final = Library(
    "regex",
    (
        Overload("find", "string_find_string", _TWO, STRING, find, member=True, cost=_find_cost),
        Overload(
            "findAll",
            "string_find_all_string",
            _TWO,
            _TEXTS,
            find_all,
            member=True,
            cost=_find_cost,
        ),
        Overload(
            "findAll",
            "string_find_all_string_int",
            _ALL_WITH_LIMIT,
            _TEXTS,
            find_all,
            member=True,
            cost=_find_cost,
        ),
    ),
)
