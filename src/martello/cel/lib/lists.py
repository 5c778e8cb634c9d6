"""The lists libraries: the one of Kubernetes and the extension that joined it later."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

from martello.cel.equality import LISTS, NUMBERS, equals
from martello.cel.lib.costs import LIST_CREATE, bounded, traversal
from martello.cel.lib.membership import Members
from martello.cel.lib.operators import MAX_ITEMS, span
from martello.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    A,
    Library,
    Overload,
    Type,
    list_of,
)
from martello.cel.values import (
    INT_MAX,
    INT_MIN,
    UINT_MAX,
    Duration,
    EvalError,
    Timestamp,
    UInt,
    type_name,
)

Items = list[Any] | tuple[Any, ...]

_ORDERED: Final = frozenset((str, bytes, bool, Duration, Timestamp))


def _comparable(items: Items) -> None:
    """Refuse a list whose elements cannot be put in order."""
    if not items:
        return
    first = type(items[0])
    numeric = first in NUMBERS
    if not numeric and first not in _ORDERED:
        raise EvalError(f"elements of type {type_name(items[0])} have no order")
    for item in items:
        kind = type(item)
        if kind is not first and not (numeric and kind in NUMBERS):
            raise EvalError("elements of different types have no order")


def is_sorted(items: Items) -> bool:
    """Whether no element is greater than its successor."""
    _comparable(items)
    return not any(later < earlier for earlier, later in pairwise(items))


def smallest(items: Items) -> Any:
    """The least element; an empty list has none."""
    if not items:
        raise EvalError("min called on an empty list")
    _comparable(items)
    least = items[0]
    for item in items:
        if item < least:
            least = item
    return least


def largest(items: Items) -> Any:
    """The greatest element; an empty list has none."""
    if not items:
        raise EvalError("max called on an empty list")
    _comparable(items)
    most = items[0]
    for item in items:
        if most < item:
            most = item
    return most


def _sum_from(zero: Any) -> Callable[[Items], Any]:
    def total(items: Items) -> Any:
        if not items:
            return zero
        kind = type(items[0])
        if any(type(item) is not kind for item in items):
            raise EvalError("elements of different types have no sum")
        if kind is Duration:
            return span(sum(item.nanos for item in items))
        if kind is float:
            return _sum_doubles(items)
        if kind is int:
            return _within(sum(items), INT_MIN, INT_MAX)
        if kind is UInt:
            return UInt(_within(sum(map(int, items)), 0, UINT_MAX))
        raise EvalError(f"elements of type {type_name(items[0])} have no sum")

    return total


def _sum_doubles(items: Items) -> float:
    # Not `sum`: from Python 3.12 on it compensates for rounding, which the server does not.
    total = 0.0
    for item in items:
        total += item
    return total


def _within(value: int, least: int, most: int) -> int:
    if least <= value <= most:
        return value
    raise EvalError("integer overflow")


def index_of(items: Items, item: Any) -> int:
    """Where the first equal element is, or -1."""
    return next((at for at, other in enumerate(items) if equals(other, item)), -1)


def last_index_of(items: Items, item: Any) -> int:
    """Where the last equal element is, or -1."""
    return next((at for at in range(len(items) - 1, -1, -1) if equals(items[at], item)), -1)


def includes(target: Any, item: Any) -> bool:
    """Whether a list holds the item; a value that is no list includes what it equals."""
    if type(target) in LISTS:
        return any(equals(other, item) for other in target)
    return equals(target, item)


def distinct(items: Items) -> list[Any]:
    """The first of each group of equal elements."""
    seen = Members()
    found: list[Any] = []
    for item in items:
        if item not in seen:
            seen.add(item)
            found.append(item)
    return found


def flatten(items: Items, depth: int = 1) -> list[Any]:
    """Nested lists put in place of themselves, `depth` levels of them."""
    if depth < 0:
        raise EvalError("flatten: the depth must not be negative")
    found: list[Any] = []
    waiting: list[tuple[Any, int]] = [(item, depth) for item in reversed(items)]
    while waiting:
        item, left = waiting.pop()
        if left > 0 and type(item) in LISTS:
            waiting.extend((inner, left - 1) for inner in reversed(item))
        else:
            found.append(item)
        bounded(len(found) + len(waiting), MAX_ITEMS)
    return found


def indices(count: int) -> list[int]:
    """`lists.range(count)`: 0 up to, without, `count`."""
    bounded(count, MAX_ITEMS)
    return list(range(count))


def reverse(items: Items) -> list[Any]:
    """The elements from last to first."""
    return list(reversed(items))


def cut(items: Items, start: int, end: int) -> list[Any]:
    """`slice(start, end)`: the elements from `start` up to, without, `end`."""
    if 0 <= start <= end <= len(items):
        return list(items[start:end])
    raise EvalError("slice: index out of range")


def sort(items: Items) -> list[Any]:
    """The elements in ascending order, all of one type."""
    return sort_by_keys(items, items)


def sort_by_keys(items: Items, keys: Items) -> list[Any]:
    """The elements in the order of their keys; what the macro `sortBy` expands to."""
    if len(items) != len(keys):
        raise EvalError("sortBy: as many keys as elements are needed")
    if not keys:
        return []
    kind = type(keys[0])
    if any(type(key) is not kind for key in keys):
        raise EvalError("elements of different types have no order")
    _comparable(keys)
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return [items[at] for at in order]


def _made(_items: Any, *rest: Any) -> int:
    return 1 + LIST_CREATE + len(rest[-1])


def _flatten_cost(items: Items, *rest: Any) -> int:
    return 1 + LIST_CREATE + len(items) * (rest[0] if len(rest) == 2 else 1)


def _squared(items: Items, *_rest: Any) -> int:
    texts = bool(items) and type(items[0]) in (str, bytes)
    return 1 + LIST_CREATE + (21 if texts else 20) * len(items) ** 2 // 10


def _keyed_cost(_items: Items, keys: Items, _result: Any) -> int:
    return _squared(keys)


_COMPARABLE: Final[tuple[tuple[str, Type], ...]] = (
    ("int", INT),
    ("uint", UINT),
    ("double", DOUBLE),
    ("bool", BOOL),
    ("duration", DURATION),
    ("timestamp", TIMESTAMP),
    ("string", STRING),
    ("bytes", BYTES),
)
_ZEROS: Final[dict[str, Any]] = {
    "int": 0,
    "uint": UInt(0),
    "double": 0.0,
    "duration": Duration(0),
}
_ANY: Final = list_of(A)


def _member(
    name: str, id: str, params: tuple[Type, ...], result: Type, function: Any, cost: Any
) -> Overload:
    return Overload(name, id, params, result, function, member=True, cost=cost)


def _kubernetes() -> list[Overload]:
    made: list[Overload] = []
    for label, kind in _COMPARABLE:
        one = (list_of(kind),)
        made += (
            _member("isSorted", f"list_{label}_is_sorted_bool", one, BOOL, is_sorted, traversal),
            _member("min", f"list_{label}_min_{label}", one, kind, smallest, traversal),
            _member("max", f"list_{label}_max_{label}", one, kind, largest, traversal),
        )
        if label in _ZEROS:
            total = _sum_from(_ZEROS[label])
            made.append(_member("sum", f"list_{label}_sum_{label}", one, kind, total, traversal))
    pair = (_ANY, A)
    made += (
        _member("indexOf", "list_a_index_of_int", pair, INT, index_of, traversal),
        _member("lastIndexOf", "list_a_last_index_of_int", pair, INT, last_index_of, traversal),
    )
    return made


def _extension() -> list[Overload]:
    dyn = list_of(DYN)
    nested = (list_of(_ANY),)
    made = [
        _member("slice", "list_slice", (_ANY, INT, INT), _ANY, cut, _made),
        _member("flatten", "list_flatten", nested, _ANY, flatten, _flatten_cost),
        _member("flatten", "list_flatten_int", (dyn, INT), dyn, flatten, _flatten_cost),
        _member("reverse", "list_reverse", (_ANY,), _ANY, reverse, _made),
        _member("distinct", "list_distinct", (_ANY,), _ANY, distinct, _squared),
        Overload("lists.range", "lists_range", (INT,), list_of(INT), indices, cost=_made),
    ]
    for _, kind in _COMPARABLE:
        keys = list_of(kind)
        by_keys = f"list_{kind.name}_sortByAssociatedKeys"
        made += (
            _member("sort", f"list_{kind.name}_sort", (keys,), keys, sort, _squared),
            _member(
                "@sortByAssociatedKeys", by_keys, (_ANY, keys), _ANY, sort_by_keys, _keyed_cost
            ),
        )
    return made


_INCLUDES: Final = _member(
    "includes", "list_includes_dyn_dyn", (DYN, DYN), BOOL, includes, traversal
)
LIBRARY: Final = Library("lists", (*_kubernetes(), _INCLUDES, *_extension()))
