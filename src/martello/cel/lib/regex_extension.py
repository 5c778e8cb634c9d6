"""The extension `regex.*` (not in Kubernetes): replace, extract, extractAll."""

from __future__ import annotations

from typing import Final

from martello.cel import re2
from martello.cel.lib.operators import MAX_TEXT
from martello.cel.re2.machine import Captures
from martello.cel.types import INT, STRING, Library, Overload, list_of, optional_of
from martello.cel.values import NONE, EvalError, Optional


def replace(text: str, pattern: str, by: str, limit: int = -1) -> str:
    """`text` with up to `limit` matches replaced; `\\1` in `by` stands for the first group."""
    if limit == 0:
        return text
    compiled = re2.compile(pattern)
    pieces: list[str] = []
    end = size = 0
    for match in compiled.find_all(text, limit):
        pieces += text[end : match[0]], _substitute(text, match, by)
        size += len(pieces[-1])
        if size > MAX_TEXT:
            raise EvalError("cost: the result is too large")
        end = match[1]
    pieces.append(text[end:])
    return "".join(pieces)


def _substitute(text: str, match: Captures, by: str) -> str:
    pieces = by.split("\\")
    made = [pieces[0]]
    escaped = False
    for piece in pieces[1:]:
        if escaped:
            made.append(piece)
            escaped = False
        elif not piece:
            made.append("\\")
            escaped = True
        else:
            made.append(_group(text, match, piece[0]) + piece[1:])
    if by.endswith("\\") and not escaped:
        raise EvalError("invalid replacement: nothing follows the last backslash")
    return "".join(made)


def _group(text: str, match: Captures, digit: str) -> str:
    if digit not in "0123456789":
        raise EvalError("invalid replacement: a backslash must be followed by a digit or another")
    group = int(digit)
    if 2 * group >= len(match):
        raise EvalError("invalid replacement: the pattern has no such group")
    start, end = match[2 * group], match[2 * group + 1]
    return text[start:end] if start >= 0 else ""


def _single(pattern: str) -> re2.Regex:
    compiled = re2.compile(pattern)
    if compiled.groups > 1:
        raise EvalError("the regular expression has more than one group")
    return compiled


def extract(text: str, pattern: str) -> Optional:
    """The first match, or its group; none when there is none or the group is empty."""
    match = _single(pattern).find(text)
    if match is None:
        return NONE
    if len(match) == 2:
        return Optional(text[match[0] : match[1]])
    return Optional(text[match[2] : match[3]]) if match[2] < match[3] else NONE


def extract_all(text: str, pattern: str) -> list[str]:
    """Every match, or every non-empty group."""
    found = _single(pattern).find_all(text)
    if found and len(found[0]) == 4:
        return [text[match[2] : match[3]] for match in found if match[2] < match[3]]
    return [text[match[0] : match[1]] for match in found]


def _search(text: str, pattern: str) -> float:
    return (len(text) + 1) * 0.1 * (len(pattern) + 1) * 0.25


def _extract_cost(text: str, pattern: str, result: Optional) -> int:
    return _up(1 + _search(text, pattern) + (len(result.value) if result.present else 1))


def _extract_all_cost(text: str, pattern: str, result: list[str]) -> int:
    return _up(1 + _search(text, pattern) + len(result) + 10)


def _replace_cost(text: str, pattern: str, *rest: object) -> int:
    return int(1 + _search(text, pattern) + len(str(rest[-1])))


def _up(cost: float) -> int:
    return -int(-cost // 1)


_TWO: Final = (STRING, STRING)
_THREE: Final = (STRING, STRING, STRING)

LIBRARY: Final = Library(
    "regex_extension",
    (
        Overload(
            "regex.extract",
            "regex_extract_string_string",
            _TWO,
            optional_of(STRING),
            extract,
            cost=_extract_cost,
        ),
        Overload(
            "regex.extractAll",
            "regex_extractAll_string_string",
            _TWO,
            list_of(STRING),
            extract_all,
            cost=_extract_all_cost,
        ),
        Overload(
            "regex.replace",
            "regex_replace_string_string_string",
            _THREE,
            STRING,
            replace,
            cost=_replace_cost,
        ),
        Overload(
            "regex.replace",
            "regex_replace_string_string_string_int",
            (*_THREE, INT),
            STRING,
            replace,
            cost=_replace_cost,
        ),
    ),
)
