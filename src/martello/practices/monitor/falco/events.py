"""Which types of events a condition admits (F11): names, and how many kinds bear them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final

from martello.practices.monitor.falco.calls import ARGUMENTS, CALLS, EVENTS, OTHERS
from martello.practices.monitor.falco.expression import (
    All,
    Any,
    Check,
    Expression,
    Field,
    No,
    Several,
    Text,
)

MANY: Final = 100  # a condition that admits more kinds of events is slow
GENERIC: Final = "syscall"


@cache
def kinds() -> Mapping[str, int]:
    """How many kinds of events bear a name."""
    return {name: count for count, names in EVENTS for name in names.split()}


@cache
def names() -> frozenset[str]:
    """Every name that an event may have."""
    return frozenset(kinds()) | frozenset(CALLS.split()) | frozenset(OTHERS.split())


@cache
def arguments() -> frozenset[str]:
    """The arguments that events may have."""
    return frozenset(ARGUMENTS.split())


class Admitted:
    """A set of names, or all but these: as Falco computes it, negation is pushed to the leaves."""

    __slots__ = ("most", "names")

    def __init__(self, names: frozenset[str], most: bool = False) -> None:
        self.names, self.most = names, most

    def both(self, other: Admitted) -> Admitted:
        """In both sets."""
        if self.most and other.most:
            return Admitted(self.names | other.names, True)
        if self.most or other.most:
            few, most = (other, self) if self.most else (self, other)
            return Admitted(few.names - most.names)
        return Admitted(self.names & other.names)

    def inverse(self) -> Admitted:
        """All others."""
        return Admitted(self.names, not self.most)

    def either(self, other: Admitted) -> Admitted:
        """In one of the sets."""
        return self.inverse().both(other.inverse()).inverse()

    def count(self) -> int:
        """How many kinds of events that are."""
        told = sum(kinds().get(name, 0) for name in self.names - {GENERIC})
        told += 2 if GENERIC in self.names else 0
        return sum(kinds().values()) - told if self.most else told


_ALL: Final = Admitted(frozenset(), True)
_NONE: Final = Admitted(frozenset())
_OPS: Final = frozenset(("=", "==", "!=", "in"))


def too_many(one: Expression) -> bool:
    """Whether a condition admits so many kinds of events that Falco warns."""
    return admitted(one).count() > MANY


def admitted(one: Expression, negated: bool = False) -> Admitted:
    """The types of events for which a condition can be true."""
    if isinstance(one, No):
        return admitted(one.part, not negated)
    if isinstance(one, All | Any):
        return _folded(one.parts, negated, conjunction=isinstance(one, All) is not negated)
    found = _leaf(one) if isinstance(one, Check) else None
    if found is None:
        return _ALL
    return found.inverse() if negated else found


def _folded(parts: Sequence[Expression], negated: bool, *, conjunction: bool) -> Admitted:
    found = _ALL if conjunction else _NONE
    for part in parts:
        one = admitted(part, negated)
        found = found.both(one) if conjunction else found.either(one)
    return found


def _leaf(one: Check) -> Admitted | None:
    """None: the comparison says nothing of the type, negated or not."""
    field = one.left
    if not isinstance(field, Field) or field.arg is not None:
        return None
    if field.name == "evt.num":
        return _number(one)
    if field.name not in ("evt.type", "syscall.type"):
        return None
    if one.op == "exists":
        return _ALL
    if one.op not in _OPS or one.over or not isinstance(one.right, Several | Text):
        return None
    right = one.right
    wanted = right.values if isinstance(right, Several) else (right.value,)
    found = Admitted(frozenset(name if name in kinds() else GENERIC for name in wanted))
    return found.inverse() if one.op == "!=" else found


_ALWAYS: Final[Mapping[str, Callable[[int], bool | None]]] = {
    "=": lambda n: False if n == 0 else None,
    "==": lambda n: False if n == 0 else None,
    "!=": lambda n: True if n == 0 else None,
    "<": lambda n: False if n <= 1 else None,
    "<=": lambda n: False if n == 0 else None,
    ">": lambda n: True if n == 0 else None,
    ">=": lambda n: True if n <= 1 else None,
}


def _number(one: Check) -> Admitted | None:
    """`evt.num` begins at 1: some comparisons are true of every event, or of none."""
    if one.op == "in" and isinstance(one.right, Several):
        zeros = all(value.isdigit() and int(value[:20]) == 0 for value in one.right.values)
        return _NONE if zeros else None
    decide = _ALWAYS.get(one.op)
    if decide is None or not isinstance(one.right, Text) or not one.right.value.isdigit():
        return None
    known = decide(int(one.right.value[:20]))
    return None if known is None else _ALL if known else _NONE
