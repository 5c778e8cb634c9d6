"""Optional values: making, testing and unwrapping them."""

from __future__ import annotations

from typing import Any, Final

from martello.cel.types import BOOL, A, Library, Overload, Type, list_of, optional_of
from martello.cel.values import NONE, EvalError, Optional


def of(value: Any) -> Optional:
    """`optional.of(value)`."""
    return Optional(value)


def none() -> Optional:
    """`optional.none()`."""
    return NONE


def of_non_zero(value: Any) -> Optional:
    """`optional.ofNonZeroValue(value)`: none for null, false, zero and everything empty."""
    kind = type(value)
    if value is None or (kind is not Optional and not _nonzero(value)):
        return NONE
    return Optional(value)


def _nonzero(value: Any) -> bool:
    nanos = getattr(value, "nanos", None)
    if nanos is not None:
        return bool(nanos or getattr(value, "seconds", 0))
    return bool(value)


def has_value(value: Optional) -> bool:
    """`value.hasValue()`."""
    return value.present


def value_of(value: Optional) -> Any:
    """`value.value()`."""
    if value.present:
        return value.value
    raise EvalError("optional.none() has no value")


def either(value: Any, other: Any) -> Any:
    """`value.or(other)`; a value that is no optional stands for itself, as in the API server."""
    return value if type(value) is not Optional or value.present else other


def value_or(value: Any, default: Any) -> Any:
    """`value.orValue(default)`; a value that is no optional stands for itself, as in the API
    server.
    """
    if type(value) is not Optional:
        return value
    return value.value if value.present else default


def first(items: Any) -> Optional:
    """The first item of a list, or none."""
    return Optional(items[0]) if items else NONE


def last(items: Any) -> Optional:
    """The last item of a list, or none."""
    return Optional(items[-1]) if items else NONE


def unwrap(items: Any) -> list[Any]:
    """The values of those optionals in a list that have one."""
    if any(type(item) is not Optional for item in items):
        raise EvalError("unwrapOpt() takes a list of optionals")
    return [item.value for item in items if item.present]


_maybe: Final = optional_of(A)
LIBRARY: Final = Library(
    "optionals",
    (
        Overload("optional.of", "optional_of", (A,), _maybe, of),
        Overload("optional.none", "optional_none", (), _maybe, none),
        Overload("optional.ofNonZeroValue", "optional_ofNonZeroValue", (A,), _maybe, of_non_zero),
        Overload("hasValue", "optional_hasValue", (_maybe,), BOOL, has_value, member=True),
        Overload("value", "optional_value", (_maybe,), A, value_of, member=True),
        Overload("or", "optional_or_optional", (_maybe, _maybe), _maybe, either, member=True),
        Overload("orValue", "optional_orValue_value", (_maybe, A), A, value_or, member=True),
        Overload("first", "list_first", (list_of(A),), _maybe, first, member=True),
        Overload("last", "list_last", (list_of(A),), _maybe, last, member=True),
        Overload("optional.unwrap", "optional_unwrap", (list_of(_maybe),), list_of(A), unwrap),
        Overload(
            "unwrapOpt", "list_unwrapOpt", (list_of(_maybe),), list_of(A), unwrap, member=True
        ),
    ),
    since=28,
    types={"optional_type": Type("optional_type", (Type("dyn"),))},
    classes={Optional: optional_of(Type("dyn"))},
)
