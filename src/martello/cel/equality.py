"""When two CEL values are equal, and what is in a list or a map."""

from __future__ import annotations

from typing import Any, Final

from martello.cel.values import KeyedMap, LazyMap, Optional, UInt

NUMBERS: Final = frozenset((int, UInt, float))
LISTS: Final = frozenset((list, tuple))
_PLAIN: Final = frozenset((str, int, UInt, float, bool, bytes, type(None)))


def equals(left: Any, right: Any) -> bool:
    """CEL equality: never fails, numbers compare by value, other types only with themselves."""
    kind, other = type(left), type(right)
    if kind is other and kind in _PLAIN:
        return bool(left == right)
    if kind in NUMBERS and other in NUMBERS:
        return bool(left == right)
    if kind in LISTS:
        return other in LISTS and _same_list(left, right)
    if is_map(left):
        return is_map(right) and _same_map(left, right)
    if kind is not other:
        return False
    if kind is Optional:
        if not (left.present and right.present):
            return bool(left.present == right.present)
        return equals(left.value, right.value)
    return bool(left == right)


def is_map(value: Any) -> bool:
    """True for everything that CEL calls a map."""
    return type(value) in (dict, KeyedMap) or isinstance(value, LazyMap)


def _same_list(left: Any, right: Any) -> bool:
    if len(left) != len(right):
        return False
    for one, other in zip(left, right, strict=True):  # noqa: SIM110 - all() nests on the C stack
        if not equals(one, other):
            return False
    return True


def _same_map(left: Any, right: Any) -> bool:
    if len(left) != len(right):
        return False
    for key, value in left.items():  # noqa: SIM110 - as above
        if not (has_key(right, key) and equals(value, right[key])):
            return False
    return True


def has_key(value: Any, key: Any) -> bool:
    """True when a map has the key."""
    if type(value) is dict:
        return type(key) is str and key in value
    return type(key) in (str, int, UInt, float, bool) and key in value


def in_list(item: Any, items: Any) -> bool:
    """`item in items`."""
    return any(equals(item, other) for other in items)


def in_map(key: Any, items: Any) -> bool:
    """`key in items`."""
    return has_key(items, key)
