"""The strings library in its newest version; Kubernetes has that of `strings_kubernetes`."""

from __future__ import annotations

from typing import Any, Final

from martello.cel.lib.costs import bounded, fifth, tenth, traversal
from martello.cel.lib.formatting import SPECIFICATION, interpolate
from martello.cel.lib.operators import MAX_ITEMS, MAX_TEXT
from martello.cel.types import DYN, INT, STRING, Library, Overload, Type, list_of
from martello.cel.values import EvalError

# What Go's `unicode.IsSpace` holds for; `str.strip` would take U+001C to U+001F as well.
_SPACES: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_LOWER: Final = {point: point + 32 for point in range(0x41, 0x5B)}
_UPPER: Final = {point: point - 32 for point in range(0x61, 0x7B)}
_QUOTED: Final = str.maketrans(
    {char: f"\\{name}" for char, name in zip('\a\b\f\n\r\t\v\\"', 'abfnrtv\\"', strict=True)}
)


def char_at(text: str, index: int) -> str:
    """The code point at `index`; empty at the very end."""
    if 0 <= index <= len(text):
        return text[index : index + 1]
    raise EvalError("charAt: index out of range")


def index_of(text: str, part: str, offset: int = 0) -> int:
    """Where `part` first occurs at or after `offset`, or -1."""
    if offset < 0:
        raise EvalError("indexOf: index out of range")
    if not part:
        return min(offset, len(text))
    return text.find(part, offset) if offset < len(text) else -1


def last_index_of(text: str, part: str, offset: int | None = None) -> int:
    """Where `part` last begins, at `offset` at the latest, or -1."""
    if offset is None:
        return text.rfind(part)
    if offset < 0:
        raise EvalError("lastIndexOf: index out of range")
    if not part:
        return min(offset, len(text))
    return text.rfind(part, 0, offset + len(part)) if offset < len(text) else -1


def index_from(text: str, part: str, offset: int) -> int:
    """`index_of` as the specification tests it: an offset beyond the text is an error."""
    if part and offset >= len(text):
        raise EvalError("indexOf: index out of range")
    return index_of(text, part, offset)


def last_index_from(text: str, part: str, offset: int) -> int:
    """`last_index_of` as the specification tests it: an offset beyond the text is an error."""
    if part and offset >= len(text):
        raise EvalError("lastIndexOf: index out of range")
    return last_index_of(text, part, offset)


def lower_ascii(text: str) -> str:
    """`A` to `Z` in lower case, the rest untouched."""
    return text.translate(_LOWER)


def upper_ascii(text: str) -> str:
    """`a` to `z` in upper case, the rest untouched."""
    return text.translate(_UPPER)


def replace(text: str, old: str, new: str, limit: int = -1) -> str:
    """The first `limit` occurrences replaced; a negative limit means all."""
    if len(new) > len(old):
        found = text.count(old)
        times = found if limit < 0 else min(found, limit)
        bounded(len(text) + times * (len(new) - len(old)), MAX_TEXT)
    return text.replace(old, new, limit if limit >= 0 else -1)


def split(text: str, separator: str, limit: int = -1) -> list[str]:
    """Pieces between separators, at most `limit`; an empty separator splits every code point."""
    if limit == 0:
        return []
    if not separator:
        if limit < 0 or limit >= len(text):
            bounded(len(text), MAX_ITEMS)
            return list(text)
        return [*text[: limit - 1], text[limit - 1 :]]
    bounded(text.count(separator), MAX_ITEMS)
    return text.split(separator, limit - 1 if limit > 0 else -1)


def substring(text: str, start: int, end: int | None = None) -> str:
    """From `start` up to `end`, or to the end of the text."""
    if end is None:
        end = len(text)
    if 0 <= start <= end <= len(text):
        return text[start:end]
    raise EvalError("substring: index out of range")


def trim(text: str) -> str:
    """White space taken off both ends."""
    return text.strip(_SPACES)


def join(items: list[Any] | tuple[Any, ...], separator: str = "") -> str:
    """The strings of a list, one after the other."""
    size = len(separator) * len(items)
    for item in items:
        if type(item) is not str:
            raise EvalError("join: not every element is a string")
        size += len(item)
    bounded(size, MAX_TEXT)
    return separator.join(items)


def reverse(text: str) -> str:
    """The code points in reverse order."""
    return text[::-1]


def quote(text: str) -> str:
    """The text in double quotes, control characters escaped as CEL escapes them."""
    return f'"{text.translate(_QUOTED)}"'


def format_text(template: str, args: list[Any] | tuple[Any, ...]) -> str:
    """`format` as CEL's specification has it."""
    return interpolate(template, args, SPECIFICATION)


def _result_cost(*values: Any) -> int:
    return fifth(values[-1])


def _member(
    name: str, id: str, params: tuple[Type, ...], result: Type, function: Any, cost: Any = None
) -> Overload:
    return Overload(name, id, params, result, function, member=True, cost=cost)


_TEXTS: Final = list_of(STRING)
_TWO: Final = (STRING, STRING)
_THREE: Final = (STRING, STRING, STRING)
_PLACED: Final = (STRING, STRING, INT)

COMMON: Final = (
    _member("charAt", "string_char_at_int", (STRING, INT), STRING, char_at),
    _member("indexOf", "string_index_of_string", _TWO, INT, index_of, traversal),
    _member("lastIndexOf", "string_last_index_of_string", _TWO, INT, last_index_of, traversal),
    _member("lowerAscii", "string_lower_ascii", (STRING,), STRING, lower_ascii, tenth),
    _member("upperAscii", "string_upper_ascii", (STRING,), STRING, upper_ascii, tenth),
    _member("replace", "string_replace_string_string", _THREE, STRING, replace, fifth),
    _member("replace", "string_replace_string_string_int", (*_THREE, INT), STRING, replace, fifth),
    _member("split", "string_split_string", _TWO, _TEXTS, split, fifth),
    _member("split", "string_split_string_int", _PLACED, _TEXTS, split, fifth),
    _member("substring", "string_substring_int", (STRING, INT), STRING, substring, tenth),
    _member("substring", "string_substring_int_int", (STRING, INT, INT), STRING, substring, tenth),
    _member("trim", "string_trim", (STRING,), STRING, trim, tenth),
    _member("join", "list_join", (_TEXTS,), STRING, join, _result_cost),
    _member("join", "list_join_string", (_TEXTS, STRING), STRING, join, _result_cost),
    Overload("strings.quote", "strings_quote", (STRING,), STRING, quote, cost=tenth),
)


def placed(find: Any, find_last: Any) -> tuple[Overload, Overload]:
    """`indexOf` and `lastIndexOf` with an offset, which dialects bound differently."""
    last = "string_last_index_of_string_int"
    return (
        _member("indexOf", "string_index_of_string_int", _PLACED, INT, find, traversal),
        _member("lastIndexOf", last, _PLACED, INT, find_last, traversal),
    )


def format_overload(function: Any) -> Overload:
    """`format` with one of its two ways to print."""
    return _member("format", "string_format", (STRING, list_of(DYN)), STRING, function, tenth)


LIBRARY: Final = Library(
    "strings",
    (
        *COMMON,
        *placed(index_from, last_index_from),
        format_overload(format_text),
        _member("reverse", "string_reverse", (STRING,), STRING, reverse, tenth),
    ),
)
