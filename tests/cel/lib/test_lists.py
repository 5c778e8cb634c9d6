"""Lists and sets: documented cases, mixed types, limits and costs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from martello.cel.lib import lists, sets
from martello.cel.lib.membership import Members
from martello.cel.types import Library
from martello.cel.values import Duration, EvalError, Timestamp, UInt


def call(library: Library, id: str, *args: Any) -> Any:
    """Call the overload of an id."""
    return next(item for item in library.overloads if item.id == id).function(*args)


def cost(library: Library, id: str, *args: Any) -> int:
    """What the overload of an id costs for arguments and result."""
    found = next(item for item in library.overloads if item.id == id)
    assert found.cost is not None
    return found.cost(*args)


CASES: list[tuple[Any, tuple[Any, ...], Any]] = [
    (lists.is_sorted, ([1, 2, 2, 3],), True),
    (lists.is_sorted, ([2, 1],), False),
    (lists.is_sorted, ([],), True),
    (lists.is_sorted, ([Timestamp(1), Timestamp(2)],), True),
    (lists.smallest, ([3, 1, 2],), 1),
    (lists.largest, (["a", "c", "b"],), "c"),
    (lists.largest, ([1, 2.5, UInt(2)],), 2.5),
    (lists.smallest, ([True, False],), False),
    (lists.index_of, ([1, 2.0, 2], 2), 1),
    (lists.last_index_of, ([1, 2, 1], 1), 2),
    (lists.index_of, ([True], 1), -1),
    (lists.includes, ([1, 2], 2.0), True),
    (lists.includes, ("a", "a"), True),
    (lists.distinct, ([1, "1", 1.0, True, [1], [1.0], UInt(1)],), [1, "1", True, [1]]),
    (lists.flatten, ([1, [2, [3]]],), [1, 2, [3]]),
    (lists.flatten, ([1, [2, [3]]], 2), [1, 2, 3]),
    (lists.flatten, ([[]],), []),
    (lists.flatten, ([[1]], 0), [[1]]),
    (lists.indices, (3,), [0, 1, 2]),
    (lists.indices, (-3,), []),
    (lists.reverse, ([1, 2],), [2, 1]),
    (lists.cut, ([1, 2, 3], 1, 3), [2, 3]),
    (lists.cut, ([1, 2, 3], 3, 3), []),
    (lists.sort, (["c", "a"],), ["a", "c"]),
    (lists.sort, ([],), []),
    (lists.sort_by_keys, (["foo", "bar", "baz"], [3, 1, 2]), ["bar", "baz", "foo"]),
    (sets.contains, ([1, 2, 3, 4], [2, 3]), True),
    (sets.contains, ([1], []), True),
    (sets.contains, ([[1], {"a": 1}], [{"a": 1.0}]), True),
    (sets.contains, ([math.nan], [math.nan]), False),
    (sets.equivalent, ([1, 2, 3], [UInt(3), 2.0, 1]), True),
    (sets.equivalent, ([1], [True]), False),
    (sets.intersects, ([[1], [2, 3]], [[1, 2], [2, 3.0]]), True),
    (sets.intersects, ([1], []), False),
]


@pytest.mark.parametrize(("function", "args", "expected"), CASES)
def test_functions(function: Any, args: tuple[Any, ...], expected: Any) -> None:
    result = function(*args)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("id", "items", "expected"),
    [
        ("list_int_sum_int", [1, 2], 3),
        ("list_uint_sum_uint", [UInt(1), UInt(2)], UInt(3)),
        ("list_double_sum_double", [0.1] * 10, 0.9999999999999999),
        ("list_duration_sum_duration", [Duration(1), Duration(2)], Duration(3)),
        ("list_int_sum_int", [], 0),
        ("list_uint_sum_uint", [], UInt(0)),
        ("list_double_sum_double", [], 0.0),
        ("list_duration_sum_duration", [], Duration(0)),
    ],
)
def test_sums(id: str, items: list[Any], expected: Any) -> None:
    result = call(lists.LIBRARY, id, items)
    assert result == expected
    assert type(result) is type(expected)


FAILING: list[tuple[Any, tuple[Any, ...]]] = [
    (lists.smallest, ([],)),
    (lists.largest, ([],)),
    (lists.largest, ([1, "a"],)),
    (lists.is_sorted, ([None],)),
    (lists.is_sorted, ([True, 1],)),
    (lists.flatten, ([1], -1)),
    (lists.indices, (100_001,)),
    (lists.cut, ([1], 0, 2)),
    (lists.cut, ([1], -1, 1)),
    (lists.cut, ([1], 1, 0)),
    (lists.sort, ([1, 2.0],)),
    (lists.sort, ([[1]],)),
    (lists.sort_by_keys, ([1], [])),
]


@pytest.mark.parametrize(("function", "args"), FAILING)
def test_failures(function: Any, args: tuple[Any, ...]) -> None:
    with pytest.raises(EvalError):
        function(*args)


@pytest.mark.parametrize("items", [[2**63 - 1, 1], [1, 1.0], ["a"], [-(2**63), -1]])
def test_bad_sums(items: list[Any]) -> None:
    with pytest.raises(EvalError):
        call(lists.LIBRARY, "list_int_sum_int", items)


def test_membership_of_many_scalars_is_hashed() -> None:
    many = list(range(100_000))
    assert lists.distinct(many + many) == many
    assert sets.contains(many, many)


def test_comparisons_of_many_lists_are_bounded() -> None:
    with pytest.raises(EvalError, match="cost"):
        lists.distinct([[number] for number in range(5000)])


def test_members_tell_types_apart() -> None:
    members = Members([1, "a", b"a"])
    assert 1.0 in members
    assert UInt(1) in members
    assert True not in members
    assert b"a" in members
    assert "b" not in members


def test_costs() -> None:
    assert cost(lists.LIBRARY, "list_int_sum_int", [1, 2, 3, 4, 5], 15) == 5
    assert cost(lists.LIBRARY, "list_a_index_of_int", ["a" * 25, {"key": 1}], "b", -1) == 3
    assert cost(lists.LIBRARY, "list_slice", [1, 2, 3], 0, 2, [1, 2]) == 13
    assert cost(lists.LIBRARY, "list_flatten_int", [1, 2], 3, [1, 2]) == 17
    assert cost(lists.LIBRARY, "list_int_sort", [1, 2], [1, 2]) == 19
    assert cost(lists.LIBRARY, "list_string_sort", ["b", "a"], ["a", "b"]) == 19
    assert cost(sets.LIBRARY, "list_sets_contains_list", [1, 2, 3, 4], [2, 3], True) == 9
    assert cost(sets.LIBRARY, "list_sets_equivalent_list", [1, 2, 3], [1, 2, 3], True) == 19
