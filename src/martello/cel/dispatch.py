"""Overloads chosen by the run-time types of their arguments, remembered for each combination of
types.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from martello.cel.types import Library, Overload, Type
from martello.cel.values import TYPE_NAMES, EvalError, LazyMap, Optional, Struct, type_name


class Dispatcher:
    """One function with all its overloads of one arity; calling it calls the one that fits."""

    __slots__ = ("_chosen", "_classes", "name", "overloads")

    def __init__(self, name: str, overloads: Iterable[Overload], classes: dict[type, str]) -> None:
        self.name = name
        self.overloads = tuple(overloads)
        self._classes = classes
        self._chosen: dict[tuple[type, ...], Overload | None] = {}

    def __call__(self, *args: Any) -> Any:
        chosen = self._chosen.get(tuple(map(type, args)))
        if chosen is None:
            chosen = self.find(args)
        return chosen.function(*args)

    def find(self, args: tuple[Any, ...]) -> Overload:
        """The overload for these values, or an EvalError."""
        key = tuple(map(type, args))
        chosen = self._chosen.get(key)
        if chosen is not None:
            return chosen
        names = [self._name(kind) for kind in key]
        fitting = [
            overload
            for overload in self.overloads
            if len(overload.params) == len(args) and all(map(_takes, overload.params, names))
        ]
        if not fitting:
            shown = ", ".join(map(type_name, args))
            raise EvalError(f"no such overload: {self.name}({shown})")
        if len({id(overload.function) for overload in fitting}) == 1:
            self._chosen[key] = fitting[0]
            return fitting[0]
        for overload in fitting:
            if all(map(self._holds, overload.params, args)):
                return overload
        raise EvalError(f"no such overload: {self.name}() of items of these types")

    def cost(self, *args: Any) -> int:
        """What a call with these arguments and this result (the last one) costs."""
        chosen = self.find(args[:-1])
        return 1 if chosen.cost is None else chosen.cost(*args)

    def _name(self, kind: type) -> str:
        known = self._classes.get(kind) or TYPE_NAMES.get(kind)
        if known is not None:
            return known
        for base in kind.__mro__:
            if base in self._classes:
                return self._classes[base]
        return "map" if issubclass(kind, LazyMap | Struct) else ""

    def _holds(self, expected: Type, value: Any) -> bool:
        """True when a value's first item, too, is of the expected type."""
        if not _takes(expected, self._name(type(value))):
            return False
        if not expected.params or expected.is_parameter:
            return True
        if expected.name == "list" and value:
            return self._holds(expected.params[0], value[0])
        if expected.name == "optional_type" and type(value) is Optional and value.present:
            return self._holds(expected.params[0], value.value)
        if expected.name == "map" and len(value):
            key, item = next(iter(value.items()))
            return self._holds(expected.params[0], key) and self._holds(expected.params[1], item)
        return True


def _takes(expected: Type, name: str) -> bool:
    wanted = expected.name
    return wanted == name or wanted == "dyn" or expected.is_parameter


def class_names(libraries: Iterable[Library]) -> dict[type, str]:
    """The CEL type name of each Python class that the libraries bring."""
    return {python: kind.name for library in libraries for python, kind in library.classes.items()}
