"""Whether the API server could read an object of a built-in kind: the type of every field.

As the server's strict decoder does it: keys are case-sensitive, null is absent, an integral number
is an integer, a quantity is a string or a number. Custom kinds are not judged here.
"""

from __future__ import annotations

import binascii
import functools
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from martello.core.kinds import built_in, table
from martello.core.path import Path
from martello.core.resource import kind_of

WRONG_TYPE: Final = "wrong-type"
MALFORMED: Final = "malformed"
UNKNOWN_FIELD: Final = "unknown-field"
MISSING_REQUIRED: Final = "missing-required"
# What the server refuses whatever its field validation: nothing may be concluded from such a value.
UNREADABLE: Final = frozenset((WRONG_TYPE, MALFORMED))

_DEEPEST: Final = 100
_INT32: Final = 1 << 31
_INT64: Final = 1 << 63
_QUANTITY: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?"
_TIME: Final = (
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)"  # what Go's RFC 3339 reads
)

# Before a code: required; and how the server's JSON treats the zero value (see presence).
_MARKS: Final = "!?+="
# (tag, argument): a leaf's letter, or `#` type number, `[` element, `{` value, `*` anything.
_Code = tuple[str, Any]
_Fields = tuple[dict[str, _Code], tuple[str, ...]]


class Violation(msgspec.Struct, frozen=True):
    """One thing the server would refuse. `kind` is wrong-type, malformed (a text that is no
    quantity, time or base64), unknown-field (`expected` is the field that was probably meant, or
    empty) or missing-required. No part of the value itself is kept.
    """

    path: Path
    expected: str
    found: str
    kind: str


def violations(raw: dict[str, Any]) -> Iterator[Violation]:
    """Everything in an object that its built-in kind does not allow, in the object's order;
    nothing for other kinds.
    """
    api_version, kind = raw.get("apiVersion"), raw.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return iter(())
    facts = built_in(api_version, kind)
    if facts is None:
        return iter(())
    found: list[Violation] = []
    _mapping(raw, facts.type, (), found)
    return iter(found)


def unreadable(raw: dict[str, Any]) -> Iterator[Violation]:
    """The violations that leave no meaning to judge: values of the wrong type, malformed texts."""
    return (v for v in violations(raw) if v.kind in UNREADABLE)


def misfits(value: Any, code: str, path: Path) -> list[Violation]:
    """What is wrong with a value by a code of the table, wherever it stands."""
    found: list[Violation] = []
    _value(value, _parse(code.lstrip(_MARKS)), path, found)
    return found


@functools.cache
def _fields(number: int) -> _Fields:
    """The fields of a type, and which of them are required."""
    fields: dict[str, _Code] = {}
    required: list[str] = []
    for name, text in table().types[number].items():
        if text[0] == "!":
            required.append(name)
        fields[name] = _parse(text.lstrip(_MARKS))
    return fields, tuple(required)


def _parse(text: str) -> _Code:
    first = text[0]
    if first.isdigit():
        return ("#", int(text))
    return (first, _parse(text[1:]) if first in "[{" else None)


def _mapping(raw: dict[str, Any], number: int, path: Path, found: list[Violation]) -> None:
    fields, required = _fields(number)
    for key, value in raw.items():
        if value is None:
            continue
        code = fields.get(key)
        if code is None:
            found.append(Violation((*path, key), _meant(key, fields), "", UNKNOWN_FIELD))
            continue
        tag, inner = code
        if tag == "s":
            if type(value) is not str:
                _wrong((*path, key), "string", value, found)
        elif tag == "o":
            if type(value) is not bool:
                _wrong((*path, key), "boolean", value, found)
        elif tag == "#" and type(value) is dict and len(path) < _DEEPEST:
            _mapping(value, inner, (*path, key), found)
        elif tag != "*":
            _value(value, code, (*path, key), found)
    for key in required:
        if raw.get(key) is None:
            found.append(Violation((*path, key), key, "null", MISSING_REQUIRED))


def _value(value: Any, code: _Code, path: Path, found: list[Violation]) -> None:
    """One value against its code; null is fine everywhere."""
    tag, inner = code
    if value is None or tag == "*":
        return
    if len(path) > _DEEPEST:
        found.append(Violation(path, f"at most {_DEEPEST} levels", "more", WRONG_TYPE))
    elif tag == "#":
        if isinstance(value, dict):
            _mapping(value, inner, path, found)
        else:
            _wrong(path, "mapping", value, found)
    elif tag == "[":
        if not isinstance(value, list):
            _wrong(path, "list", value, found)
            return
        for index, element in enumerate(value):
            if type(element) is not str or inner[0] != "s":
                _value(element, inner, (*path, index), found)
    elif tag == "{":
        if not isinstance(value, dict):
            _wrong(path, "mapping", value, found)
            return
        for key, element in value.items():
            if type(element) is not str or inner[0] != "s":
                _value(element, inner, (*path, key), found)
    else:
        _leaf(value, tag, path, found)


def _leaf(value: Any, tag: str, path: Path, found: list[Violation]) -> None:
    kind = type(value)
    number = kind is int or (kind is float and value.is_integer())
    match tag:
        case "s" if kind is not str:
            _wrong(path, "string", value, found)
        case "o" if kind is not bool:
            _wrong(path, "boolean", value, found)
        case "i" if not number or not -_INT32 <= value < _INT32:
            _wrong(path, "32-bit integer", value, found)
        case "l" if not number or not -_INT64 <= value < _INT64:
            _wrong(path, "integer", value, found)
        case "n" if kind is not int and kind is not float:
            _wrong(path, "number", value, found)
        case "x" if kind is not str and (not number or not -_INT32 <= value < _INT32):
            _wrong(path, "integer or string", value, found)
        case "q" if kind is str:
            _text(re.fullmatch(_QUANTITY, value, re.ASCII), "quantity", path, found)
        case "q" if kind is not int and kind is not float:
            _wrong(path, "quantity", value, found)
        case "t" if kind is str:
            _text(re.fullmatch(_TIME, value, re.ASCII), "RFC 3339 time", path, found)
        case "t":
            _wrong(path, "string", value, found)
        case "b" if kind is str:
            _text(_is_base64(value), "base64 text", path, found)
        case "b" if not _is_octets(value):
            _wrong(path, "string", value, found)


def _wrong(path: Path, expected: str, value: Any, found: list[Violation]) -> None:
    found.append(Violation(path, expected, kind_of(value), WRONG_TYPE))


def _text(fine: object, expected: str, path: Path, found: list[Violation]) -> None:
    if not fine:
        found.append(Violation(path, expected, f"text that is no {expected}", MALFORMED))


def _is_octets(value: Any) -> bool:
    """The other form that Go's decoder takes for bytes: a list of numbers."""
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 256 for v in value)


def _is_base64(text: str) -> bool:
    """Go's standard encoding: line ends are skipped, padding is required."""
    try:
        binascii.a2b_base64(text.replace("\n", "").replace("\r", ""), strict_mode=True)
    except ValueError:
        return False
    return True


def _meant(key: str, fields: dict[str, _Code]) -> str:
    lower = key.lower()
    return next((name for name in fields if name.lower() == lower), "")
