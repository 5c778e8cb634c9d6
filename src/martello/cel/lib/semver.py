"""Semantic versions 2.0 as values, and their precedence."""

from __future__ import annotations

from typing import Final

from martello.cel.lib.costs import tenth
from martello.cel.types import BOOL, INT, STRING, Library, Overload, Type
from martello.cel.values import EvalError

_UINT_MAX: Final = (1 << 64) - 1
_LETTERS: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-")
_Key = tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]


class Semver:
    """An immutable version, equal and ordered by precedence: build metadata do not count."""

    __slots__ = ("build", "key", "major", "minor", "patch", "prerelease")

    def __init__(
        self,
        numbers: tuple[int, int, int],
        prerelease: tuple[str, ...] = (),
        build: tuple[str, ...] = (),
    ) -> None:
        self.major, self.minor, self.patch = numbers
        self.prerelease = prerelease
        self.build = build
        parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in prerelease)
        self.key: _Key = (*numbers, 0 if prerelease else 1, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and self.key == other.key

    def __lt__(self, other: Semver) -> bool:
        return self.key < other.key

    def __le__(self, other: Semver) -> bool:
        return self.key <= other.key

    def __gt__(self, other: Semver) -> bool:
        return self.key > other.key

    def __ge__(self, other: Semver) -> bool:
        return self.key >= other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        if self.prerelease:
            text += f"-{'.'.join(self.prerelease)}"
        return f"{text}+{'.'.join(self.build)}" if self.build else text

    def __repr__(self) -> str:
        return f"semver({str(self)!r})"


def compare(one: Semver, other: Semver) -> int:
    """-1, 0 or 1."""
    return (one.key > other.key) - (one.key < other.key)


def parse(text: str, normalize: bool = False) -> Semver:
    """Read a version; `normalize` takes a leading `v`, missing parts and leading zeros as well."""
    if len(text) > 1000:
        raise _bad()
    parts = (_normalized(text) if normalize else text).split(".", 2)
    if len(parts) != 3:
        raise _bad()
    rest, plus, metadata = parts[2].partition("+")
    patch, dash, prerelease = rest.partition("-")
    return Semver(
        (_number(parts[0]), _number(parts[1]), _number(patch)),
        _identifiers(prerelease, zeros=False) if dash else (),
        _identifiers(metadata, zeros=True) if plus else (),
    )


def _bad() -> EvalError:
    return EvalError("this string is no semantic version")


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and (text[0] != "0" or len(text) == 1):
        number = int(text)
        if number <= _UINT_MAX:
            return number
    raise _bad()


def _identifiers(text: str, *, zeros: bool) -> tuple[str, ...]:
    found = tuple(text.split("."))
    for part in found:
        if not part or not _LETTERS.issuperset(part):
            raise _bad()
        if not zeros and part.isdigit():
            _number(part)
    return found


def _normalized(text: str) -> str:
    parts = text.removeprefix("v").split(".", 2)
    for at, part in enumerate(parts):
        if len(part) > 1:
            stripped = part.lstrip("0")
            plain = stripped[:1].isascii() and stripped[:1].isdigit()
            parts[at] = stripped if plain else f"0{stripped}"
    if len(parts) < 3 and ("+" in parts[-1] or "-" in parts[-1]):
        raise _bad()
    return ".".join([*parts, "0", "0"][:3] if len(parts) < 3 else parts)


def is_semver(text: str, normalize: bool = False) -> bool:
    """Whether `parse` takes the text."""
    try:
        parse(text, normalize)
    except EvalError:
        return False
    return True


def _int64(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


TYPE: Final = Type("kubernetes.Semver")
_TWO: Final = (TYPE, TYPE)
_WITH_BOOL: Final = (STRING, BOOL)

LIBRARY: Final = Library(
    "semver",
    (
        Overload("semver", "string_to_semver", (STRING,), TYPE, parse, cost=tenth),
        Overload("semver", "string_bool_to_semver", _WITH_BOOL, TYPE, parse, cost=tenth),
        Overload("isSemver", "is_semver_string", (STRING,), BOOL, is_semver, cost=tenth),
        Overload("isSemver", "is_semver_string_bool", _WITH_BOOL, BOOL, is_semver, cost=tenth),
        Overload("isGreaterThan", "semver_is_greater_than", _TWO, BOOL, Semver.__gt__, member=True),
        Overload("isLessThan", "semver_is_less_than", _TWO, BOOL, Semver.__lt__, member=True),
        Overload("compareTo", "semver_compare_to", _TWO, INT, compare, member=True),
        Overload("major", "semver_major", (TYPE,), INT, lambda v: _int64(v.major), member=True),
        Overload("minor", "semver_minor", (TYPE,), INT, lambda v: _int64(v.minor), member=True),
        Overload("patch", "semver_patch", (TYPE,), INT, lambda v: _int64(v.patch), member=True),
    ),
    since=33,
    types={TYPE.name: TYPE},
    classes={Semver: TYPE},
)
