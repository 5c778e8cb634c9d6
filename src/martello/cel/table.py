"""The fixed table of names that generated code may use, and the costs that depend on values."""

from __future__ import annotations

from typing import Any, Final

from martello.cel.equality import LISTS
from martello.cel.runtime import (
    ABSENT,
    Lazy,
    add,
    closed,
    eq,
    fail,
    find_field,
    find_field_strictly,
    find_item,
    has,
    has_strictly,
    index,
    is_none,
    keys,
    less,
    less_equal,
    limited,
    mapping,
    merged,
    negated,
    non_zero,
    not_bool,
    opened,
    opened_strictly,
    pairs,
    present,
    stop,
    within,
)
from martello.cel.values import NONE, KeyedMap, LazyMap, Optional, Struct


def short(left: Any, right: Any) -> int:
    """The cost of comparing two values: a tenth of the smaller, at least 1."""
    if type(left) in _SIZED and type(right) in _SIZED:
        return max(1, -(-min(len(left), len(right)) // 10))
    return 1


def long(left: Any, right: Any) -> int:
    """The cost of `+`: a tenth of both strings or bytes, 1 for the rest."""
    if type(left) in (str, bytes) and type(right) in (str, bytes):
        return -(-(len(left) + len(right)) // 10)
    return 1


def wide(items: Any) -> int:
    """The cost of `in`: the size of a list, 1 for a map."""
    return len(items) if type(items) in LISTS else 1


_SIZED: Final = frozenset((str, bytes, list, tuple, dict, KeyedMap))
TABLE: Final[dict[str, Any]] = {
    "E": Exception,
    "type": type,
    "str": str,
    "int": int,
    "list": list,
    "dict": dict,
    "len": len,
    "SIZED": _SIZED,
    "Optional": Optional,
    "NONE": NONE,
    "ABSENT": ABSENT,
    "Struct": Struct,
    "Lazy": Lazy,
    "LazyMap": LazyMap,
    "fail": fail,
    "not_bool": not_bool,
    "negated": negated,
    "less": less,
    "less_equal": less_equal,
    "eq": eq,
    "add": add,
    "within": within,
    "index": index,
    "has": has,
    "has_strictly": has_strictly,
    "find_field": find_field,
    "find_field_strictly": find_field_strictly,
    "find_item": find_item,
    "opened": opened,
    "is_none": is_none,
    "opened_strictly": opened_strictly,
    "closed": closed,
    "non_zero": non_zero,
    "present": present,
    "keys": keys,
    "pairs": pairs,
    "mapping": mapping,
    "merged": merged,
    "limited": limited,
    "stop": stop,
    "short": short,
    "long": long,
    "wide": wide,
}
