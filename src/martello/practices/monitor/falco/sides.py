"""The sides of a comparison: a field or a transformer's call as terms, with its type."""

from __future__ import annotations

from typing import Final

import msgspec

from martello.practices.monitor.engine.ir import TRUE, Call, Literally, Node, Term, Value, both
from martello.practices.monitor.falco.events import arguments
from martello.practices.monitor.falco.expression import Field, Made, Operand, Operands, Text
from martello.practices.monitor.falco.fields import BOTH, Known, Source
from martello.practices.monitor.falco.shape import Cases, Unknown, arms, change, exists
from martello.practices.monitor.falco.syntax import Malformed

_NO_ARGUMENT: Final = "filter error: transformer '{}' does not support field arguments"


class Side(msgspec.Struct, frozen=True):
    """One side of a comparison: its shape (two of them: either end), type, and name."""

    shapes: tuple[Term | Cases, ...]
    type: str
    several: bool
    name: str
    marks: frozenset[str] = frozenset()
    plain: bool = False


class CannotRun(Exception):
    """A condition that is right for Falco, and that we cannot decide: why."""


def sided(source: Source, one: Operand, where: str) -> Side:
    """The field, or the transformer's call, that an operand is. Raises Malformed."""
    if isinstance(one, Field):
        return _field(source, one)
    if isinstance(one, Text):
        return Side((Literally(one.value),), "text", False, one.value)
    if not isinstance(one, Made):
        raise Malformed(f"a list stands on the {where} side", one.at)
    if one.function == "val":
        if one.arg is not None:
            raise Malformed(_NO_ARGUMENT.format("val"), one.at)
        return sided(source, one.of[0], where)
    if len(one.of) > 1 or one.function in ("concat", "getopt", "join"):
        return _joined(source, one)
    if one.arg is not None:
        raise Malformed(_NO_ARGUMENT.format(one.function), one.at)
    inner = sided(source, one.of[0], where)
    if "bare" in inner.marks:
        raise Malformed(f"field '{inner.name}' does not support transformers", one.at)
    return _transformed(one, inner)


def _field(source: Source, one: Field) -> Side:
    """A field as a side. Raises Malformed."""
    found = source.find(one.name, one.arg)
    if found is None or "print" in found[0].marks:
        raise Malformed(f"filter_check called with nonexistent field {one.full}", one.at)
    known, arg = found
    if known.marks & {"may", "must"} and arg is not None:
        _argued(known, arg, one.at)
    several = known.several and not (known.name == "fd.types" and arg is not None)
    if known.name in BOTH:
        return Side(BOTH[known.name], known.type, False, known.name, known.marks, True)
    shape = source.shape(known.name, arg)
    if isinstance(shape, Unknown):
        raise CannotRun(f"{one.full}: {shape.why}")
    plain = arg is None
    return Side((shape,), known.type, several, known.name, known.marks, plain)


def _joined(source: Source, one: Made) -> Side:
    """`join`, `concat`, `getopt`. Raises Malformed, CannotRun."""
    if one.function not in ("join", "concat", "getopt"):
        raise Malformed(f"transformer '{one.function}' takes one argument", one.at)
    parts: list[tuple[Side, ...]] = []
    for operand in one.of:
        inner = operand.of if isinstance(operand, Operands) else (operand,)
        parts.append(tuple(sided(source, part, "left") for part in inner))
    lists = [isinstance(o, Operands) or p[0].several for o, p in zip(one.of, parts, strict=True)]
    why = _arity(one.function, lists, parts)
    if why:
        raise Malformed(why, one.at)
    if one.function == "getopt":
        raise CannotRun("getopt() is not decided yet")
    if one.arg is not None:
        raise Malformed(_NO_ARGUMENT.format(one.function), one.at)
    extra: tuple[Value, ...] = ()
    if one.function == "join":
        if not isinstance(one.of[0], Text):
            raise CannotRun("join() with a separator that is a field is not decided yet")
        extra = (one.of[0].value,)
        parts = parts[1:]
    cases: list[tuple[Node, tuple[Term, ...]]] = [(TRUE, ())]
    for side in (side for part in parts for side in part):
        each = tuple(arms(side.shapes[0]))
        cases = [(both(w, when), (*terms, term)) for w, terms in cases for when, term in each]
        if len(cases) > _MOST_CASES:
            raise CannotRun(f"{one.function}() of fields with too many cases")
    made = tuple((when, Call(one.function, terms, extra)) for when, terms in cases)
    shape = made[0][1] if len(made) == 1 else Cases(made)
    return Side((shape,), "text", False, one.function)


_MOST_CASES: Final = 64
_NUMBERED: Final = frozenset(("proc.aname", "proc.apid", "proc.aexe", "proc.aexepath"))


def _argued(known: Known, arg: str, at: int) -> None:
    """Ancestors, containers and rules are asked by number, arguments by number or name."""
    numbered = known.name in _NUMBERED or (known.several and known.name.startswith("ka."))
    if numbered and not arg.isdigit():
        raise Malformed(f"filter_check called with nonexistent field {known.name}[{arg}]", at)
    if known.name == "evt.arg" and not arg.isdigit() and arg not in arguments():
        raise Malformed(f"unknown event argument {arg}", at)


def _transformed(one: Made, inner: Side) -> Side:
    """A side with a transformer of one argument (F30). Raises Malformed."""
    name = one.function
    function = {"tolower": "lower", "toupper": "upper", "len": "length"}.get(name, name)
    counted = name == "len"
    if not (
        inner.type in ("text", "any")
        or (inner.type == "bytes" and name in ("b64", "len"))
        or (inner.several and counted)
    ):
        raise Malformed(
            f"can't add field transformer: type '{inner.type}' is not supported by '{name}' "
            f"transformer applied on field '{inner.name}'",
            one.at,
        )
    shapes = tuple(
        change(shape, lambda term: Call(function, (term,)))
        if not (inner.several and counted)
        else Cases(tuple((both(when, exists(t)), Call(function, (t,))) for when, t in arms(shape)))
        for shape in inner.shapes
    )
    type_ = "u64" if counted else inner.type
    several = inner.several and not counted
    return Side(shapes, type_, several, inner.name, inner.marks - {"bare"})


def _arity(function: str, lists: list[bool], parts: list[tuple[Side, ...]]) -> str:
    """Why the arguments are wrong; empty where they are right."""
    if function == "join":
        if len(lists) != 2:
            return "join() requires exactly 2 arguments: separator and list"
        if lists[0]:
            return "join() first argument (separator) must be a single value, not a list"
        return "" if lists[1] else "join() second argument must be a list"
    if function == "getopt":
        if len(lists) != 2:
            return "getopt() requires exactly 2 arguments: args list and optstring"
        if not lists[0]:
            return "getopt() first argument must be a list"
        return "getopt() second argument (optstring) must be a single value" if lists[1] else ""
    if len(lists) < 2:
        return "concat() requires at least 2 arguments"
    wrong = any(lists) or any(part[0].type not in ("text", "any") for part in parts)
    return "concat() arguments must be strings" if wrong else ""
