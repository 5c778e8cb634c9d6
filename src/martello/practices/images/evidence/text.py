"""Evidence as JSON, header fields and single words: bounded, and never trusted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, TypeVar

import msgspec

from martello.core.body import TooLarge
from martello.core.package import Package

_LONGEST: Final = 512  # of a name, a version or a licence: real ones stay below 220
_MOST_LICENCES: Final = 32
_MARK: Final = b"\xef\xbb\xbf"
_PART: Final = 1 << 20
_PARAGRAPH: Final = 16 << 20  # bytes; one that lists the files of a package may have a few MiB
_EMPTY: Final = re.compile(rb"\n(?:[ \t\r]*\n)+")
_BLOCK: Final = 1 << 16  # bytes of lines that are taken apart at a time

T = TypeVar("T")


def decoded(data: bytes, type: type[T]) -> T:
    """JSON as a type; a byte order mark is skipped. Raises ValueError, also where it nests too
    deep.
    """
    try:
        return msgspec.json.decode(data.removeprefix(_MARK), type=type)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"its JSON is not of this kind of file: {error}") from error


def fields(data: bytes) -> Iterator[tuple[str, str]]:
    """Name (in lower case) and value of each header field before the first empty line, with
    continued lines joined. Lines that are no field are skipped.
    """
    name, parts = "", [""]
    for raw in data.removeprefix(_MARK).split(b"\n"):
        line = raw.rstrip(b"\r").decode("utf-8", "replace")
        if not line.strip():
            break
        if line[0] in " \t":
            parts.append(line)
            continue
        if name:
            yield name, "\n".join(parts).strip()
        key, colon, value = line.partition(":")
        name, parts = (key.strip().lower(), [value]) if colon else ("", [""])
    if name:
        yield name, "\n".join(parts).strip()


def paragraphs(file: BinaryIO) -> Iterator[str]:
    """The texts between empty lines, one at a time. Raises TooLarge where one is too long."""
    rest = b""
    while part := file.read(_PART):
        *whole, rest = _EMPTY.split(rest + part)
        for one in whole:
            yield _plain(one)
        if len(rest) > _PARAGRAPH:
            raise TooLarge(f"a paragraph has more than {_PARAGRAPH >> 20} MiB")
    yield _plain(rest)


def _plain(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def lines(file: BinaryIO) -> Iterator[str]:
    """The lines, without their ends; one that is much longer than any path comes in parts."""
    rest = b""
    while part := file.read(_BLOCK):
        whole, _, rest = (rest + part).rpartition(b"\n")
        if len(rest) > _BLOCK:
            whole, rest = rest, b""
        if whole:
            yield from _plain(whole).split("\n")
    if rest:
        yield _plain(rest)


def at_most(values: Iterable[T], most: int, what: str) -> Iterator[T]:
    """The same values. Raises TooLarge where there are more."""
    for number, value in enumerate(values):
        if number == most:
            raise TooLarge(f"it has more than {most:,} {what}")
        yield value


def word(value: object) -> str:
    """A value that is one line of printable text, trimmed; all else is empty."""
    if not isinstance(value, str):
        return ""
    text = value.strip()
    return text if len(text) <= _LONGEST and text.isprintable() else ""


def words(values: object) -> tuple[str, ...]:
    """The values of a list, or the one value, that are a word; each once."""
    many = values if isinstance(values, list | tuple) else (values,)
    return tuple(dict.fromkeys(found for value in many if (found := word(value))))[:_MOST_LICENCES]


def proven(type: str, name: object, version: object, licences: Iterable[object] = ()) -> Package:
    """The package of a name and a version. Raises ValueError where one is not a word."""
    known, number = word(name), word(version)
    if not known or not number:
        raise ValueError(f"it states no usable {'version' if known else 'name'}")
    return Package(type=type, name=known, version=number, licences=words(tuple(licences)))
