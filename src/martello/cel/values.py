"""The values of CEL that plain Python has no exact type for, and the one error that evaluation
raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

INT_MIN: Final = -(1 << 63)
INT_MAX: Final = (1 << 63) - 1
UINT_MAX: Final = (1 << 64) - 1


class EvalError(Exception):
    """An expression could not be evaluated: what went wrong and, once known, the node it happened
    at.

    The message names types, never contents, so that no secret leaves through it. `needs` is set
    when a function's provider was
    not handed in (`authorizer`, `resource.Get`): the caller reports such a verdict as unassessed.
    """

    def __init__(self, message: str, node: int | None = None, needs: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.needs = needs
        self.scope = 0  # whose node it is: an error may pass through several programs


class UInt(int):
    """An unsigned integer; arithmetic yields `int`, so results are wrapped again by whoever
    computes them.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self)}u"


class Timestamp:
    """A point in time: seconds since 1970 (may be negative) and nanoseconds in [0, 10⁹)."""

    __slots__ = ("nanos", "seconds")

    def __init__(self, seconds: int, nanos: int = 0) -> None:
        self.seconds = seconds
        self.nanos = nanos

    @property
    def total(self) -> int:
        """Nanoseconds since 1970."""
        return self.seconds * 1_000_000_000 + self.nanos

    def __eq__(self, other: object) -> bool:
        return type(other) is Timestamp and self.total == other.total

    def __lt__(self, other: Timestamp) -> bool:
        return self.total < other.total

    def __le__(self, other: Timestamp) -> bool:
        return self.total <= other.total

    def __hash__(self) -> int:
        return hash((self.seconds, self.nanos))

    def __repr__(self) -> str:
        return f"Timestamp({self.seconds}, {self.nanos})"


class Duration:
    """A length of time in nanoseconds, within ±2⁶³."""

    __slots__ = ("nanos",)

    def __init__(self, nanos: int) -> None:
        self.nanos = nanos

    def __eq__(self, other: object) -> bool:
        return type(other) is Duration and self.nanos == other.nanos

    def __lt__(self, other: Duration) -> bool:
        return self.nanos < other.nanos

    def __le__(self, other: Duration) -> bool:
        return self.nanos <= other.nanos

    def __hash__(self) -> int:
        return hash(("duration", self.nanos))

    def __repr__(self) -> str:
        return f"Duration({self.nanos})"


class TypeValue:
    """A type as a value: what `type(x)` gives; equal by name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return type(other) is TypeValue and self.name == other.name

    def __hash__(self) -> int:
        return hash(("type", self.name))

    def __repr__(self) -> str:
        return f"type({self.name})"


class Optional:
    """An optional value: `NONE`, or `Optional(value)` where the value may be null."""

    __slots__ = ("present", "value")

    def __init__(self, value: Any, present: bool = True) -> None:
        self.value = value
        self.present = present

    def __getitem__(self, key: Any) -> Optional:
        """Selection goes on inside: `a.?b.c` is an optional."""
        from martello.cel.runtime import optional_field

        return optional_field(self, key)

    def __repr__(self) -> str:
        return f"optional.of({self.value!r})" if self.present else "optional.none()"


NONE = Optional(None, present=False)


def key_of(key: Any) -> Any:
    """The key a map keeps a CEL value under: 1, 1u and 1.0 are one key, true another; not a key at
    all is an EvalError.
    """
    kind = type(key)
    if kind is str:
        return key
    if kind is int or kind is UInt:
        return int(key)
    if kind is bool:
        return ("bool", key)
    if kind is float:
        return int(key) if key.is_integer() else ("double", key)
    raise EvalError(f"a map has no keys of type {kind.__name__}")


class KeyedMap:
    """A map whose keys need not be strings; keeps the order and the spelling of its keys."""

    __slots__ = ("_items",)

    def __init__(self, pairs: list[tuple[Any, Any]] | tuple[tuple[Any, Any], ...] = ()) -> None:
        self._items: dict[Any, tuple[Any, Any]] = {key_of(k): (k, v) for k, v in pairs}

    def __getitem__(self, key: Any) -> Any:
        return self._items[key_of(key)][1]

    def get(self, key: Any, default: Any = None) -> Any:
        """The value under `key`, or `default`."""
        found = self._items.get(key_of(key))
        return default if found is None else found[1]

    def __contains__(self, key: object) -> bool:
        return key_of(key) in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter([key for key, _ in self._items.values()])

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> list[tuple[Any, Any]]:
        """Every (key, value)."""
        return list(self._items.values())

    def __repr__(self) -> str:
        return f"KeyedMap({self.items()!r})"


class LazyMap:
    """A map of string keys whose values are computed on first use: subclass it with `__getitem__`
    and `__contains__`.

    `__getitem__` raises `KeyError` for an unknown name, or an `EvalError`; it keeps what it
    computed. `keys` is asked only when an expression walks over or compares the whole map.
    """

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return False

    def keys(self) -> list[str]:
        """The names, in order."""
        return []

    def get(self, key: Any, default: Any = None) -> Any:
        """The value under `key`, or `default`; an error in computing it is raised."""
        return self[key] if type(key) is str and key in self else default

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def items(self) -> list[tuple[str, Any]]:
        """Every (name, value), all of them computed."""
        return [(key, self[key]) for key in self.keys()]


class Struct(dict[str, Any]):
    """A literal such as `Object.spec{…}` or `JSONPatch{…}`: its fields and its type's name."""

    __slots__ = ("name",)

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.name = name

    def __eq__(self, other: object) -> bool:
        return type(other) is Struct and self.name == other.name and dict.__eq__(self, other)

    __hash__ = None


def type_name(value: Any) -> str:
    """The CEL name of a value's type, for messages."""
    known = TYPE_NAMES.get(type(value))
    if known is not None:
        return known
    if isinstance(value, Struct):
        return value.name
    return "map" if isinstance(value, LazyMap) else type(value).__name__


TYPE_NAMES: Final[dict[type, str]] = {
    bool: "bool",
    int: "int",
    UInt: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    tuple: "list",
    dict: "map",
    KeyedMap: "map",
    LazyMap: "map",
    type(None): "null_type",
    Timestamp: "google.protobuf.Timestamp",
    Duration: "google.protobuf.Duration",
    TypeValue: "type",
    Optional: "optional_type",
}
