"""Falco's conditions as trees: fields become terms, operators are checked against their types.

Messages follow Falco's where it has one, so that `--strict` gives its verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from socket import getservbyname
from typing import Final

import msgspec

from martello.practices.monitor.engine.compare import Bad, among
from martello.practices.monitor.engine.compare import test as operator
from martello.practices.monitor.engine.ir import (
    FALSE,
    Atom,
    Literally,
    Node,
    Over,
    Term,
    Value,
    both,
    either,
    opposite,
)
from martello.practices.monitor.engine.scalar import MOST_DEPTH
from martello.practices.monitor.falco.events import names
from martello.practices.monitor.falco.expression import (
    All,
    Check,
    Expression,
    Macro,
    Made,
    No,
    Operand,
    Several,
    Text,
    depth,
)
from martello.practices.monitor.falco.fields import NUMBERS, Source
from martello.practices.monitor.falco.shape import compared, exists
from martello.practices.monitor.falco.sides import CannotRun, Side, sided
from martello.practices.monitor.falco.syntax import TRANSFORMERS, Malformed

_NUMERIC: Final = frozenset(("=", "==", "!=", "<", "<=", ">", ">=", "in", "intersects"))
_EQUAL: Final = frozenset(("=", "==", "!=", "in", "intersects"))
_BUFFER: Final = _EQUAL | {"contains", "startswith", "endswith", "bcontains", "bstartswith"}
DEEPEST: Final = MOST_DEPTH - 20  # the cases of a field nest a few levels more
_OPS: Final[Mapping[str, str]] = {"==": "=", "regex": "fullmatch"}


class Warned(msgspec.Struct, frozen=True):
    """What Falco warns of in a condition, and where."""

    why: str
    at: int


class Lowering:
    """Turns one expression into a tree; `warnings` are collected on the way."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.warnings: list[Warned] = []
        self.cannot: str = ""

    def tree(self, one: Expression) -> Node:
        """The tree. Raises Malformed; CannotRun after all of it was checked."""
        if depth(one) > DEEPEST:
            raise Malformed(f"a condition nested deeper than {DEEPEST}", 0)
        found = self._tree(one)
        if self.cannot:
            raise CannotRun(self.cannot)
        return found

    def _tree(self, one: Expression) -> Node:
        if isinstance(one, Check):
            try:
                return self.check(one)
            except CannotRun as fault:
                self.cannot = self.cannot or str(fault)
                return FALSE
        if isinstance(one, No):
            return opposite(self._tree(one.part))
        if isinstance(one, Macro):
            raise Malformed(f"filter error: unexpected identifier '{one.name}'", one.at)
        parts = [self._tree(part) for part in one.parts]
        return both(*parts) if isinstance(one, All) else either(*parts)

    def check(self, one: Check) -> Node:
        """A comparison."""
        left = sided(self.source, one.left, "left")
        _permits(left, one)
        if one.op == "exists":
            return either(*(compared(shape, exists) for shape in left.shapes))
        right = one.right
        if isinstance(right, Made):
            return self.between(left, one, right)
        values = right.values if isinstance(right, Several) else (_text(right),)
        at = right.at if right is not None else one.at
        for text in values:
            self.warn(one.op, text, at)
        if left.name == "evt.type" and left.plain:
            for value in values:
                if value not in names():
                    raise Malformed(f"unknown event type {value}", at)
        return self.constants(left, one, values, at)

    def constants(self, left: Side, one: Check, values: tuple[str, ...], at: int) -> Node:
        """A comparison with constants."""
        if one.op in ("bcontains", "bstartswith"):
            for value in values:
                if len(value) % 2 or not re.fullmatch("[0-9a-fA-F]*", value):
                    raise Malformed(
                        "filter error: bcontains and bstartswith operator support hex strings only",
                        at,
                    )
        if left.type == "bytes":
            one, values = _printable(left.name, one, values)
        if left.type in ("ip", "net"):
            operand: tuple[Value, ...] = tuple(_network(value, left.type, at) for value in values)
        else:
            operand = tuple(_constant(value, left.type, at) for value in values)
        op = _OPS.get(one.op, one.op)
        if op == "fullmatch":
            operand = tuple(_expression(str(value), at) for value in operand)
        if left.type in ("ip", "net"):
            return _addressed(left, op, one.over, operand)
        if op in ("in", "intersects") and left.several:
            op = "subset" if op == "in" else op
            return either(*(compared(s, _set(op, operand)) for s in left.shapes))
        if op == "intersects":
            op = "in"
        over = one.over or ("any" if left.name == "proc.aname" and left.plain else "one")
        made = [compared(shape, _compare(op, operand, over)) for shape in left.shapes]
        try:
            if op in ("in", "pmatch"):
                among(op, operand)
            for one_value in operand if op not in ("in", "pmatch") else ():
                operator(op, one_value)
        except Bad as fault:
            raise Malformed(f"invalid regex pattern: {fault}", at) from fault
        return both(*made) if op == "!=" else either(*made)

    def between(self, left: Side, one: Check, right: Made) -> Node:
        """A comparison with another field."""
        other = sided(self.source, right, "right")
        if one.op in ("pmatch", "regex"):
            raise Malformed(f"operator '{one.op}' doesn't support right-hand side fields", right.at)
        if left.type == "net":
            raise Malformed("field type 'IPNET' doesn't support right-hand side fields", right.at)
        for side, where in ((left, "doesn't support right-hand side fields"), (other, _NOT_RIGHT)):
            if "left" in side.marks:
                raise Malformed(f"field '{side.name}' {where}", right.at)
        if (left.type, left.several) != (other.type, other.several):
            raise Malformed(
                f"field '{left.name}' has type '{left.type}' while the right-hand side field "
                f"'{other.name}' has incompatible type '{other.type}'",
                right.at,
            )
        op = _OPS.get(one.op, one.op)
        if left.several:
            op = {"in": "subset"}.get(op, op)
        elif op == "intersects":
            op = "in"

        def with_term(term: Term) -> Node:
            return compared(
                other.shapes[0],
                lambda right: Atom(
                    term, op, (right.value,) if isinstance(right, Literally) else right
                ),
            )

        return either(*(compared(shape, with_term) for shape in left.shapes))

    def warn(self, op: str, value: str, at: int) -> None:
        """What Falco warns of in a constant."""
        if op != "regex" and "." not in value and "(" not in value:
            return
        stripped = "".join(value.split())
        if op == "regex" and _trivial(value):
            self.warnings.append(
                Warned(
                    f"regex check with '{value}' may be optimized with simpler operators such as "
                    "'=', 'contains', 'startswith', 'endswith'",
                    at,
                )
            )
        name, _, arg = stripped.partition("[")
        if self.source.find(name, arg[:-1] if arg.endswith("]") else None) and "." in name:
            self.warnings.append(
                Warned(f"'{value}' may be a valid field misused as a const string value", at)
            )
        for one in ("val", *TRANSFORMERS):
            if stripped.startswith(one + "(") and stripped.endswith(")"):
                why = f"'{value}' may be a valid field transformer misused as a const string value"
                self.warnings.append(Warned(why, at))


_NOT_RIGHT: Final = "can't be used as a right-hand side field"
_SPECIAL: Final = frozenset(".+*?^$()[]{}|\\")


def _trivial(value: str) -> bool:
    """Whether an expression is a plain text with anchors or any-signs around it."""
    at, end = 0, len(value)
    while at < end:
        sign = value[at]
        if (at == 0 and sign == "^") or (at == end - 1 and sign == "$"):
            at += 1
        elif (
            sign == "."
            and ((at == 0 and end > 1) or at == end - 2)
            and value[at + 1 : at + 2] in ("+", "*", "?")
        ):
            at += 2
        elif sign in _SPECIAL:
            return False
        else:
            at += 1
    return True


def _text(one: Operand | None) -> str:
    assert isinstance(one, Text)
    return one.value


def _set(op: str, operand: tuple[Value, ...]) -> Callable[[Term], Node]:
    return lambda term: Atom(term, op, operand)


def _compare(op: str, operand: tuple[Value, ...], over: Over) -> Callable[[Term], Node]:
    return lambda term: Atom(term, op, operand, over)


def _permits(left: Side, one: Check) -> None:
    """Whether the type has the operator (F25, F26). Raises Malformed."""
    if one.op == "exists" or left.type == "any":
        return
    if left.several:
        allowed, what = frozenset(("in", "intersects")), "list filters"
    elif left.type in NUMBERS:
        allowed, what = _NUMERIC, "for numeric filters"
    elif left.type == "bool":
        allowed, what = _EQUAL, "for numeric filters"
    elif left.type in ("ip", "net"):
        allowed, what = _EQUAL, "for ip address and network filters"
    elif left.type == "bytes":
        allowed, what = _BUFFER, "for buffer filters"
    else:
        if one.op not in ("bcontains", "bstartswith"):
            return
        allowed, what = frozenset(), "for string filters"
    if one.op not in allowed:
        raise Malformed(f"filter error: '{one.op}' operator not supported {what}", one.at)


def _printable(name: str, one: Check, values: tuple[str, ...]) -> tuple[Check, tuple[str, ...]]:
    """Bytes are known as Falco prints them: text, with a dot for what is none. Raises CannotRun
    for bytes that are never printed.
    """
    if one.op in _HEX:
        given = [bytes.fromhex(value).decode("latin-1") for value in values]
        one, values = msgspec.structs.replace(one, op=_HEX[one.op]), tuple(given)
    if not all(value.isascii() and value.isprintable() for value in values):
        raise CannotRun(f"{name} is bytes: no source keeps those that are no text")
    return one, values


_HEX: Final[Mapping[str, str]] = {"bcontains": "contains", "bstartswith": "startswith"}
_LEADING: Final = re.compile(r"\s*(0[xX][0-9a-fA-F]+|[+-]?[0-9]+)")


def _constant(value: str, type_: str, at: int) -> Value:
    """A constant as the type has it. Raises Malformed."""
    if "\0" in value:
        raise Malformed("filter error: filter value cannot contain a NUL byte (\\x00)", at)
    if type_ == "bool":
        if value not in ("true", "false"):
            raise Malformed(f"filter error: unrecognized boolean value {value}", at)
        return value == "true"
    if type_ == "port" and not value.isdigit():
        try:
            return getservbyname(value) if value else 0
        except OSError as fault:
            raise Malformed(f"unrecognized protocol {value}", at) from fault
    if type_ in NUMBERS:
        found = _LEADING.match(value[:100])
        number = int(found[1], 16 if found[1][:2] in ("0x", "0X") else 10) if found else None
        if number is None or len(value) > 100 or not -(1 << 63) <= number < 1 << 64:
            raise Malformed(f"{value} is not a valid number", at)
        return number % (1 << int(type_[1:])) if type_[0] == "u" else number
    return value


def _network(value: str, type_: str, at: int) -> str:
    try:
        if type_ == "ip":
            return str(ip_network(ip_address(value)))
        if "/" in value:
            return str(ip_network(value, strict=False))
    except ValueError:
        pass
    what = "address" if type_ == "ip" else "network"
    raise Malformed(f"unrecognized IP {what} {value}", at)


def _addressed(left: Side, op: str, over: str, operand: tuple[Value, ...]) -> Node:
    """An address is, or lies in, one of the operands; of both ends either."""

    def within(term: Term) -> Node:
        return Atom(term, "cidr", operand, over if over in ("oneof", "allof") else "one")  # type: ignore[arg-type]

    def without(term: Term) -> Node:
        each = [Atom(term, "cidr", (one,)) for one in operand]
        if over == "oneof":
            alone = [
                both(opposite(one), *(other for other in each if other is not one)) for one in each
            ]
            return both(exists(term), either(*alone))
        missed = [opposite(one) for one in each]
        return both(exists(term), either(*missed) if over == "anyof" else both(*missed))

    if op == "!=":
        return both(*(compared(shape, without) for shape in left.shapes))
    return either(*(compared(shape, within) for shape in left.shapes))


_POSIX: Final = re.compile(r"\\[dswDSWbBAzQECpP]|\(\?")


def _expression(pattern: str, at: int) -> str:
    """RE2's POSIX syntax: no Perl classes, no flags. Anchors also stand at lines. Raises
    Malformed.
    """
    found = _POSIX.search(pattern.replace("\\\\", "__"))
    if found is not None:
        raise Malformed(f"invalid regex pattern: {found[0]} is no POSIX syntax", at)
    return f"(?m:{pattern})" if "^" in pattern or "$" in pattern else pattern


def lower(one: Expression, source: Source) -> tuple[Node, list[Warned]]:
    """The tree of an expression whose macros are put in, and what Falco warns of. Raises Malformed
    (wrong), CannotRun (right, but not for us).
    """
    made = Lowering(source)
    return made.tree(one), made.warnings


__all__ = ["CannotRun", "Lowering", "Warned", "lower"]
