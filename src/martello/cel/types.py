"""The types of CEL: a small lattice with `dyn`, and the declarations of libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final


class Type:
    """One CEL type, such as `int`, `list(string)` or the type parameter `A`. Immutable, compared by
    structure.
    """

    __slots__ = ("_hash", "name", "params")

    name: str
    params: tuple[Type, ...]

    def __init__(self, name: str, params: tuple[Type, ...] = ()) -> None:
        self.name = name
        self.params = params
        self._hash = hash((name, params))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and self.name == other.name and self.params == other.params

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.params))})" if self.params else self.name

    @property
    def is_parameter(self) -> bool:
        """True for a type parameter: one upper-case letter."""
        return len(self.name) == 1 and self.name.isupper()


DYN: Final = Type("dyn")
NULL: Final = Type("null_type")
BOOL: Final = Type("bool")
INT: Final = Type("int")
UINT: Final = Type("uint")
DOUBLE: Final = Type("double")
STRING: Final = Type("string")
BYTES: Final = Type("bytes")
TIMESTAMP: Final = Type("google.protobuf.Timestamp")
DURATION: Final = Type("google.protobuf.Duration")
A: Final = Type("A")
B: Final = Type("B")


def list_of(element: Type) -> Type:
    """`list(element)`."""
    return Type("list", (element,))


def map_of(key: Type, value: Type) -> Type:
    """`map(key, value)`."""
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    """`optional_type(value)`."""
    return Type("optional_type", (value,))


def type_of(value: Type) -> Type:
    """`type(value)`: the type of a type value."""
    return Type("type", (value,))


class Overload:
    """One overload of a function: parameter types (the receiver first when `member`), result, and
    its Python function.

    `function` gets exact CEL values of the declared parameter types (the caller dispatches on
    run-time types), returns a CEL value and raises `EvalError`, nothing else. `cost`, where given,
    gets the same arguments plus the result as its last one and returns the run-time cost in
    Kubernetes' units; absent means 1.
    """

    __slots__ = ("cost", "function", "id", "member", "name", "params", "result")

    def __init__(
        self,
        name: str,
        id: str,
        params: tuple[Type, ...],
        result: Type,
        function: Callable[..., Any],
        *,
        member: bool = False,
        cost: Callable[..., int] | None = None,
    ) -> None:
        self.name = name
        self.id = id
        self.params = params
        self.result = result
        self.function = function
        self.member = member
        self.cost = cost


class Library:
    """A named set of overloads and constants; `since` is the Kubernetes minor version that
    introduced it (34 for 1.34).

    `types` maps type names that expressions may use as values (`net.IP`) to their Type, with the
    Python class of their values in `classes`.
    """

    __slots__ = ("classes", "name", "overloads", "since", "types")

    def __init__(
        self,
        name: str,
        overloads: tuple[Overload, ...],
        *,
        since: int = 0,
        types: dict[str, Type] | None = None,
        classes: dict[type, Type] | None = None,
    ) -> None:
        self.name = name
        self.overloads = overloads
        self.since = since
        self.types = types or {}
        self.classes = classes or {}
