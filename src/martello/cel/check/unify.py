"""Type inference: which type may stand where another is expected, and what both have in common."""

from __future__ import annotations

from itertools import count
from typing import Final

from martello.cel.types import DYN, NULL, Type

_NOT_NULLABLE: Final = frozenset(
    ("bool", "int", "uint", "double", "string", "bytes", "list", "map", "type", "null_type")
)


class Inference:
    """The type variables of one expression and what they stand for so far."""

    __slots__ = ("_numbers", "bound")

    def __init__(self) -> None:
        self.bound: dict[str, Type] = {}
        self._numbers = count()

    def fresh(self) -> Type:
        """A new type variable."""
        return Type(f"%{next(self._numbers)}")

    def instance(self, kind: Type, names: dict[str, Type]) -> Type:
        """A declared type with its parameters replaced by fresh variables."""
        if kind.is_parameter:
            if kind.name not in names:
                names[kind.name] = self.fresh()
            return names[kind.name]
        if not kind.params:
            return kind
        return Type(kind.name, tuple([self.instance(part, names) for part in kind.params]))

    def shallow(self, kind: Type) -> Type:
        """What a variable stands for, as far as known."""
        while kind.name[0] == "%":
            known = self.bound.get(kind.name)
            if known is None:
                return kind
            kind = known
        return kind

    def deep(self, kind: Type, free: Type | None = None) -> Type:
        """A type with every known variable replaced; unknown ones become `free`."""
        kind = self.shallow(kind)
        if kind.name[0] == "%":
            return free or kind
        if not kind.params:
            return kind
        return Type(kind.name, tuple([self.deep(part, free) for part in kind.params]))

    def _occurs(self, name: str, kind: Type) -> bool:
        kind = self.shallow(kind)
        return kind.name == name or any(self._occurs(name, part) for part in kind.params)

    def accepts(self, expected: Type, actual: Type) -> bool:
        """True when a value of `actual` may stand for `expected`; binds variables, undone on
        failure.
        """
        saved = dict(self.bound)
        if self._unify(expected, actual):
            return True
        self.bound = saved
        return False

    def _unify(self, expected: Type, actual: Type) -> bool:
        left, right = self.shallow(expected), self.shallow(actual)
        if left == right:
            return True
        if left.name[0] == "%":
            if self._occurs(left.name, right):
                return False
            self.bound[left.name] = right
            return True
        if right.name[0] == "%":
            if self._occurs(right.name, left):
                return False
            self.bound[right.name] = left
            return True
        if not self._compatible(left, right):
            return False
        if expected.name[0] == "%":
            self._widen(expected, self.general(left, right))
        return True

    def _widen(self, variable: Type, kind: Type) -> None:
        while self.bound[variable.name].name[0] == "%":
            variable = self.bound[variable.name]
        if not self._occurs(variable.name, kind):
            self.bound[variable.name] = kind

    def _compatible(self, left: Type, right: Type) -> bool:
        if left.name == "dyn" or right.name == "dyn":
            return True
        if left.name == "wrapper":
            return right == NULL or self._unify(left.params[0], right)
        if right.name == "wrapper":
            return left == NULL or self._unify(left, right.params[0])
        if right == NULL:
            return left.name not in _NOT_NULLABLE
        if left == NULL:
            return right.name not in _NOT_NULLABLE
        if left.name == right.name == "type":
            return True
        return (
            left.name == right.name
            and len(left.params) == len(right.params)
            and all(map(self._unify, left.params, right.params))
        )

    def general(self, left: Type, right: Type) -> Type:
        """The more general of two compatible types."""
        left, right = self.shallow(left), self.shallow(right)
        if left.name == "dyn" or right.name == "dyn":
            return DYN
        if left == NULL or left.name[0] == "%":
            return right
        if right == NULL or right.name[0] == "%":
            return left
        if left.params and len(left.params) == len(right.params):
            return Type(left.name, tuple(map(self.general, left.params, right.params)))
        return left

    def join(self, left: Type, right: Type) -> Type | None:
        """The type of a place that holds both, or None when they have nothing in common."""
        if self.accepts(left, right) or self.accepts(right, left):
            return self.general(left, right)
        return None
