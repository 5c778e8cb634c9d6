"""The slow paths that generated code calls, and the fixed table of names it may use."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from martello.cel.equality import LISTS, NUMBERS, equals, has_key, in_list, is_map
from martello.cel.lib.operators import (
    MAX_ITEMS,
    before,
    concat,
    item_at,
    not_after,
    optional_at,
    value_at,
)
from martello.cel.values import (
    INT_MAX,
    INT_MIN,
    NONE,
    Duration,
    EvalError,
    KeyedMap,
    Optional,
    Struct,
    Timestamp,
    key_of,
    type_name,
)

FILE: Final = "<cel>"
_ORDERED: Final = frozenset((str, bytes, bool, Timestamp, Duration))


class _Absent:
    """Stands for an optional without a value inside generated code."""

    __slots__ = ()


ABSENT: Final = _Absent()


class Lazy:
    """A value of `cel.bind`, computed on first use; its error is kept as well."""

    __slots__ = ("_error", "_function", "_value")

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function: Callable[[], Any] | None = function
        self._value: Any = None
        self._error: EvalError | None = None

    def __call__(self) -> Any:
        if self._function is not None:
            try:
                self._value = self._function()
            except Exception as error:
                self._error = fail(error)
            self._function = None
        if self._error is not None:
            raise self._error
        return self._value


class Pattern:
    """A regular expression of the source text; parsed on first use."""

    __slots__ = ("_matches", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self._matches: Callable[[str], bool] | None = None

    def __call__(self, text: str) -> bool:
        if self._matches is None:
            from martello.cel import re2

            self._matches = re2.compile(self.source).matches
        return self._matches(text)


def fail(error: BaseException) -> EvalError:
    """Any exception of an evaluation as the one error there is, with the node that its traceback
    names.
    """
    if isinstance(error, EvalError):
        found = error
    else:
        found = EvalError(_message(error))
    _place(found, error.__traceback__)
    found.__traceback__ = None
    found.__suppress_context__ = True
    return found


def _message(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return "no such key"
    if isinstance(error, IndexError):
        return "index out of range"
    if isinstance(error, RecursionError):
        return "the value is nested too deeply"
    if isinstance(error, MemoryError):
        return "cost: out of memory"
    return "a value of a type that this operation does not take"


def _place(found: EvalError, trace: TracebackType | None) -> None:
    """Names the node, unless this program did; frames of other programs are not looked at."""
    if trace is None:
        return
    scope = trace.tb_frame.f_globals
    if found.scope == id(scope):
        return
    found.scope = id(scope)
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals is scope and frame.f_code.co_filename == FILE:
            found.node = trace.tb_lineno - 1
        trace = trace.tb_next


def not_bool(value: Any) -> EvalError:
    """The error for a value where a bool belongs; an error that was set aside is itself."""
    if isinstance(value, EvalError):
        return value
    return EvalError(f"expected a bool, found {type_name(value)}")


def negated(value: Any) -> bool:
    """`!value`."""
    if value is True:
        return False
    if value is False:
        return True
    raise not_bool(value)


def comparable(left: Any, right: Any) -> None:
    """Passes when two values have an order."""
    kind, other = type(left), type(right)
    if (kind is other and kind in _ORDERED) or (kind in NUMBERS and other in NUMBERS):
        return
    raise EvalError(f"no order between {type_name(left)} and {type_name(right)}")


def less(left: Any, right: Any) -> bool:
    """`left < right`."""
    comparable(left, right)
    return before(left, right)


def less_equal(left: Any, right: Any) -> bool:
    """`left <= right`."""
    comparable(left, right)
    return not_after(left, right)


def eq(left: Any, right: Any) -> bool:
    """`left == right`."""
    if type(left) is str or type(right) is str:
        return bool(left == right)
    return equals(left, right)


def add(left: Any, right: Any, otherwise: Callable[[Any, Any], Any]) -> Any:
    """`left + right` for ints, strings and lists; everything else goes through its overloads."""
    kind = type(left)
    if kind is type(right):
        if kind is int:
            result = left + right
            if INT_MIN <= result <= INT_MAX:
                return result
            raise EvalError("integer overflow")
        if kind is str or kind is list:
            return concat(left, right)
    return otherwise(left, right)


def within(item: Any, items: Any) -> bool:
    """`item in items`."""
    if type(item) is str and type(items) in (dict, list):
        return item in items  # exact: Python compares a string with anything as CEL does
    if type(items) in LISTS:
        return in_list(item, items)
    if is_map(items) or isinstance(items, Struct):
        return has_key(items, item)
    raise EvalError(f"'in' looks into lists and maps, found {type_name(items)}")


def index(items: Any, key: Any) -> Any:
    """`items[key]`."""
    kind = type(items)
    if kind is dict:
        if type(key) is str:
            return items[key]
        return value_at(items, key)
    if kind in LISTS:
        return item_at(items, key)
    if is_map(items) or kind is Struct:
        return value_at(items, key)
    if kind is Optional:
        return optional_index(items, key)
    raise EvalError(f"{type_name(items)} has no items")


def has(value: Any, field: str) -> bool:
    """`has(value.field)` for what is no plain dict: a scalar has no fields, a list is an error (as
    in cel-go).
    """
    if is_map(value) or isinstance(value, dict):
        return field in value
    if type(value) is Optional:
        return value.present and has(value.value, field)
    if type(value) in LISTS:
        raise EvalError("a list has no fields")
    return False


def has_strictly(value: Any, field: str) -> bool:
    """`has(value.field)` in the specification's dialect, where only a map may be asked."""
    if type(value) is Optional:
        return value.present and has_strictly(value.value, field)
    if isinstance(value, dict) or is_map(value):
        return field in value
    raise EvalError(f"{type_name(value)} has no fields")


def find_field(value: Any, field: str) -> Any:
    """`value.?field` as a value or ABSENT; selection goes through optionals, a scalar has no
    fields.
    """
    if value is ABSENT:
        return ABSENT
    if isinstance(value, dict) or is_map(value):
        return value.get(field, ABSENT)
    if type(value) is Optional:
        return find_field(value.value, field) if value.present else ABSENT
    if type(value) in LISTS:
        raise EvalError("a list has no fields")
    return ABSENT


def find_field_strictly(value: Any, field: str) -> Any:
    """`value.?field` in the specification's dialect, where only a map may be asked."""
    if type(value) is Optional:
        return find_field_strictly(value.value, field) if value.present else ABSENT
    if value is ABSENT or isinstance(value, dict) or is_map(value):
        return find_field(value, field)
    raise EvalError(f"{type_name(value)} has no fields")


def find_item(items: Any, key: Any) -> Any:
    """`items[?key]` as a value or ABSENT."""
    if items is ABSENT:
        return ABSENT
    if type(items) is Optional:
        return find_item(items.value, key) if items.present else ABSENT
    if type(items) in LISTS or isinstance(items, dict) or is_map(items):
        return opened(optional_at(items, key))
    key_of(key)
    return ABSENT


def optional_field(value: Any, field: str) -> Optional:
    """`value.?field` as an optional."""
    return closed(find_field(value, field))


def optional_index(items: Any, key: Any) -> Optional:
    """`items[?key]` as an optional."""
    return closed(find_item(items, key))


def opened(value: Any) -> Any:
    """What an optional holds, or ABSENT; a plain value stands for itself."""
    if type(value) is Optional:
        return value.value if value.present else ABSENT
    return value


def opened_strictly(value: Any) -> Any:
    """What an optional holds, or ABSENT; anything else is an error."""
    if type(value) is Optional:
        return value.value if value.present else ABSENT
    raise EvalError(f"expected an optional, found {type_name(value)}")


def is_none(value: Any) -> bool:
    """True for `optional.none()`."""
    return type(value) is Optional and not value.present


def closed(value: Any) -> Optional:
    """The optional of a value or of ABSENT."""
    return NONE if value is ABSENT else Optional(value)


def non_zero(value: Any) -> Any:
    """The value, or ABSENT when it is null, false, zero or empty."""
    from martello.cel.lib.optionals import of_non_zero

    return opened(of_non_zero(value))


def present(value: Any) -> Any:
    """The value of an optional that must have one."""
    if type(value) is Optional and value.present:
        return value.value
    raise EvalError("optional.none() has no value")


def keys(items: Any) -> Any:
    """What a macro with one variable walks over: items of a list, keys of a map."""
    kind = type(items)
    if kind is list or kind is tuple:
        return items
    if is_map(items) or kind is Struct:
        return list(items)
    raise EvalError(f"a macro walks over lists and maps, found {type_name(items)}")


def pairs(items: Any) -> Any:
    """What two variables walk over: (index, item) of a list, (key, value) of a map."""
    if type(items) in LISTS:
        return enumerate(items)
    if is_map(items) or type(items) is Struct:
        return list(items.items())
    raise EvalError(f"a macro walks over lists and maps, found {type_name(items)}")


def mapping(entries: list[tuple[Any, Any]]) -> Any:
    """A map of (key, value) pairs; a repeated key is an error."""
    if all(type(key) is str for key, _ in entries):
        plain = dict(entries)
        if len(plain) == len(entries):
            return plain
        raise EvalError("a map literal repeats a key")
    for key, _ in entries:
        if type(key) is float:
            raise EvalError("a map has no keys of type double")
    keyed = KeyedMap(entries)
    if len(keyed) != len(entries):
        raise EvalError("a map literal repeats a key")
    return keyed


def merged(entries: list[Any]) -> Any:
    """The one map of the maps that `transformMapEntry` made; a repeated key is an error."""
    joined: list[tuple[Any, Any]] = []
    for entry in entries:
        if not is_map(entry):
            raise EvalError(f"transformMapEntry() takes maps, found {type_name(entry)}")
        joined.extend(entry.items())
    return mapping(joined)


def limited(items: list[Any]) -> list[Any]:
    """A list that a macro is building, while it is within the limit on a result's size."""
    if len(items) > MAX_ITEMS:
        raise EvalError("cost: the result is too large")
    return items


def stop() -> EvalError:
    """The error of a budget that is used up."""
    return EvalError("cost: the budget is used up")
