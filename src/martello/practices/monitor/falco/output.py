"""The message of a rule: Falco's text with `%field` in it (F32), and our template of columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.core.event import COLUMNS
from martello.practices.monitor.engine.ir import TRUE, Atom, Column, Pointer, Term, columns
from martello.practices.monitor.engine.scalar import holds
from martello.practices.monitor.engine.terms import Event, getter, text
from martello.practices.monitor.falco.expression import Field, Operand
from martello.practices.monitor.falco.fields import Source
from martello.practices.monitor.falco.shape import Cases, arms
from martello.practices.monitor.falco.sides import CannotRun, sided
from martello.practices.monitor.falco.syntax import Malformed, parse_field

MISSING: Final = "<NA>"
LONGEST: Final = 65_536
_WINDOW: Final = 512  # characters of a field, with its argument
_LENGTH: Final = re.compile(r"\d{0,6}")


class Part(msgspec.Struct, frozen=True):
    """A piece of a message: a text, or a field (by name) with its length (0: as it is)."""

    text: str = ""
    shape: Any = None
    length: int = 0
    name: str = ""


class Output(msgspec.Struct, frozen=True):
    """A message as Falco writes it, and its pieces."""

    text: str
    parts: tuple[Part, ...]

    def render(self, event: Event) -> str:
        """The message of one event: missing is `<NA>`, a list `(a,b)`."""
        return "".join(
            part.text if part.shape is None else _said(part, event) for part in self.parts
        )

    def template(self) -> str:
        """As `say` has it: `{column}` where a field is one."""
        made = []
        for part in self.parts:
            if part.shape is None:
                made.append(part.text.replace("{", "(").replace("}", ")"))
            else:
                column = _ALIASES.get(part.name) or _column(part.shape)
                made.append(f"{{{column}}}" if column else "-")
        return "".join(made)


_ALIASES: Final = {
    field: name for name, column in COLUMNS.items() for field in column.falco if name != "action"
}


def _column(shape: Any) -> str:
    """The column that a shape is in one of its cases; else the first that it asks for. Empty: only
    raw tells it, which is no part of a message.
    """
    asked: list[str] = []
    for _, term in arms(shape):
        if isinstance(term, Column):
            return term.name if term.name != "raw" else ""
        asked += sorted(columns(Atom(term, "exists")) - {"raw"})
    return asked[0] if asked else ""


def _said(part: Part, event: Event) -> str:
    shape: Term | Cases = part.shape
    value = None
    for when, term in arms(shape):
        if when == TRUE or holds(when, event):
            value = getter(term)(event)
            break
    if value is None or value == []:
        said = MISSING
    elif isinstance(value, list | tuple):
        said = f"({','.join(text(one) or MISSING for one in value)})"
    else:
        said = text(value) or ("" if value == "" else MISSING)
    return said[: part.length].ljust(part.length) if part.length else said


def read(message: str, source: Source) -> Output:
    """The pieces of a message. Raises Malformed (its place is an offset)."""
    if not message:
        raise Malformed("empty formatting token", 0)
    if len(message) > LONGEST:
        raise Malformed(f"an output of more than {LONGEST} characters", 0)
    return Output(message, tuple(_parts(message.removeprefix("*"), source)))


def _parts(message: str, source: Source) -> Iterator[Part]:
    at = 0
    while (sign := message.find("%", at)) >= 0:
        if sign > at:
            yield Part(message[at:sign])
        if sign == len(message) - 1:
            raise Malformed("invalid formatting syntax: formatting cannot end with a %", sign)
        digits = _LENGTH.match(message, sign + 1)
        start = digits.end() if digits else sign + 1
        length = int(message[sign + 1 : start] or 0)
        shape, name, size = _field(message, start, source)
        yield Part(shape=shape, length=min(length, LONGEST), name=name)
        at = start + size
    if at < len(message):
        yield Part(message[at:])


def _field(message: str, start: int, source: Source) -> tuple[Any, str, int]:
    """The longest text from here on that is a field or a transformer's call: what it is made of,
    the field's name (empty: a call), and how long it is.
    """
    window = message[start : start + _WINDOW]
    why, end = "", len(window)
    while end > 0:
        try:
            found, size = parse_field(window[:end])
            end = size
            name = found.name if isinstance(found, Field) else ""
            return _shape(found, source), name, size
        except Malformed as fault:
            why = why or fault.why
        end -= 1
    raise Malformed(f"unknown filter: {why}", start)


def _shape(found: Operand, source: Source) -> Any:
    try:
        return sided(source, found, "left").shapes[0]
    except CannotRun:
        return Pointer(("output_fields", "?"))
