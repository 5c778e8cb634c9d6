"""A condition as it is written: what the parser makes, before lists, macros and fields have sense.

`told` writes one back the way Falco prints compiled conditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from martello.practices.monitor.falco.quoting import escaped


class Field(msgspec.Struct, frozen=True):
    """A field, with the argument in its brackets."""

    name: str
    arg: str | None = None
    at: int = 0

    @property
    def full(self) -> str:
        """As it is written."""
        return self.name if self.arg is None else f"{self.name}[{self.arg}]"


class Made(msgspec.Struct, frozen=True):
    """A transformer applied to operands."""

    function: str
    of: tuple[Operand, ...]
    arg: str | None = None
    at: int = 0


class Text(msgspec.Struct, frozen=True):
    """A constant."""

    value: str
    at: int = 0


class Several(msgspec.Struct, frozen=True):
    """Constants in brackets."""

    values: tuple[str, ...]
    at: int = 0


class Operands(msgspec.Struct, frozen=True):
    """Operands in brackets, inside a transformer."""

    of: tuple[Operand, ...]
    at: int = 0


Operand: TypeAlias = Field | Made | Text | Several | Operands


class Check(msgspec.Struct, frozen=True):
    """A comparison. `over` is oneof, anyof, allof or empty; `right` None: `exists`."""

    left: Operand
    op: str
    right: Operand | None = None
    over: Literal["", "oneof", "anyof", "allof"] = ""
    at: int = 0


class Macro(msgspec.Struct, frozen=True):
    """A name where a comparison may stand."""

    name: str
    at: int = 0


class All(msgspec.Struct, frozen=True):
    """Parts joined by `and`."""

    parts: tuple[Expression, ...]
    at: int = 0


class Any(msgspec.Struct, frozen=True):
    """Parts joined by `or`."""

    parts: tuple[Expression, ...]
    at: int = 0


class No(msgspec.Struct, frozen=True):
    """The opposite of a part."""

    part: Expression
    at: int = 0


Expression: TypeAlias = All | Any | No | Check | Macro


def told(one: Expression | Operand) -> str:
    """As Falco prints it."""
    if isinstance(one, All | Any):
        return f"({(' and ' if isinstance(one, All) else ' or ').join(map(told, one.parts))})"
    if isinstance(one, No):
        return f"not {told(one.part)}"
    if isinstance(one, Macro):
        return one.name
    if isinstance(one, Check):
        op = f"{one.op} {one.over}" if one.over else one.op
        return f"{told(one.left)} {op}" + ("" if one.right is None else f" {told(one.right)}")
    if isinstance(one, Field):
        return one.name + _argument(one.arg)
    if isinstance(one, Text):
        return escaped(one.value)
    if isinstance(one, Several):
        return f"({', '.join(map(escaped, one.values))})"
    inside = f"({','.join(map(told, one.of))})"
    if isinstance(one, Operands):
        return inside
    return one.function + inside + _argument(one.arg)


def _argument(arg: str | None) -> str:
    return "" if arg is None else f"[{escaped(arg)}]" if arg else '[""]'


def depth(one: Expression) -> int:
    """How deep it is nested."""
    deepest, stack = 0, [(one, 1)]
    while stack:
        top, level = stack.pop()
        deepest = max(deepest, level)
        if isinstance(top, No):
            stack.append((top.part, level + 1))
        elif isinstance(top, All | Any):
            stack.extend((part, level + 1) for part in top.parts)
    return deepest


def checks(one: Expression) -> Iterator[Check | Macro]:
    """Every comparison and name, from the left."""
    stack = [one]
    while stack:
        top = stack.pop()
        if isinstance(top, No):
            stack.append(top.part)
        elif isinstance(top, All | Any):
            stack.extend(reversed(top.parts))
        else:
            yield top


def fields(one: Expression) -> Iterator[Field]:
    """Every field of every comparison."""
    stack: list[Operand] = []
    for check in checks(one):
        if isinstance(check, Check):
            stack.extend([check.left] if check.right is None else [check.right, check.left])
        while stack:
            top = stack.pop()
            if isinstance(top, Field):
                yield top
            elif isinstance(top, Made | Operands):
                stack.extend(reversed(top.of))
