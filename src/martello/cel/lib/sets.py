"""The sets library: lists compared as sets."""

from __future__ import annotations

from typing import Any, Final

from martello.cel.lib.membership import Members
from martello.cel.types import BOOL, A, Library, Overload, list_of

Items = list[Any] | tuple[Any, ...]


def contains(items: Items, wanted: Items) -> bool:
    """Whether every element of `wanted` equals one of `items`."""
    members = Members(items)
    return all(item in members for item in wanted)


def equivalent(one: Items, other: Items) -> bool:
    """Whether each contains the other."""
    return contains(one, other) and contains(other, one)


def intersects(one: Items, other: Items) -> bool:
    """Whether any element is in both."""
    members = Members(other)
    return any(item in members for item in one)


def _product(one: Items, other: Items, _result: bool) -> int:
    return 1 + len(one) * len(other)


def _twice(one: Items, other: Items, _result: bool) -> int:
    return 1 + 2 * len(one) * len(other)


_TWO: Final = (list_of(A), list_of(A))
LIBRARY: Final = Library(
    "sets",
    (
        Overload("sets.contains", "list_sets_contains_list", _TWO, BOOL, contains, cost=_product),
        Overload(
            "sets.equivalent", "list_sets_equivalent_list", _TWO, BOOL, equivalent, cost=_twice
        ),
        Overload(
            "sets.intersects", "list_sets_intersects_list", _TWO, BOOL, intersects, cost=_product
        ),
    ),
    since=29,
)
