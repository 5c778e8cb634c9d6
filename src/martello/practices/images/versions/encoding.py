"""Bytes that sort as the parts of a version do, and the memory in front of each key function."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

KEPT: Final = 1 << 15  # keys remembered for each ecosystem
LONGEST: Final = 200  # characters of a version whose key is remembered
_LONG: Final = 0xF0  # numbers of so many digits and more carry their length in eight bytes

Key = Callable[[str], bytes]
Compare = Callable[[str, str], int]


def number(digits: str) -> bytes:
    """ASCII digits in numeric order, whatever their count; leading zeros do not count. No int is
    made, so that a megabyte of digits costs no more than to copy it.
    """
    digits = digits.lstrip("0")
    length = len(digits)
    if length < _LONG:
        return bytes((length,)) + digits.encode()
    return bytes((_LONG,)) + length.to_bytes(8, "big") + digits.encode()


def text(string: str) -> bytes:
    """A string in code point order, ended by a zero byte; a prefix comes before what it begins."""
    data = string.encode("utf-8", "surrogatepass")
    if b"\0" in data or b"\1" in data:
        data = data.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1")
    return data + b"\0"


def memoised(build: Key) -> Key:
    """The key function that remembers what it built, except for versions of absurd length."""
    kept = lru_cache(maxsize=KEPT)(build)

    def key(version: str) -> bytes:
        return kept(version) if len(version) <= LONGEST else build(version)

    key.__doc__ = build.__doc__
    return key


def by_key(key: Key) -> Compare:
    """The comparison of two versions, as -1, 0 or 1, that a key function stands for."""

    def compare(a: str, b: str) -> int:
        left, right = key(a), key(b)
        return (left > right) - (left < right)

    return compare
