"""What a reader of a feed gives: records, and what it could not take, with the reason.

A reader is any function that yields items; it raises `MartelloError` only where the whole feed
cannot be read.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from martello.core.vulnerability import Affected, Events, Vulnerability

LONGEST_TEXT: Final = 8_192  # characters of details that are kept
MOST_REFERENCES: Final = 20
MOST_VERSIONS: Final = 100_000  # of one package in one record


class Record(msgspec.Struct, frozen=True):
    """One record of a feed and all that it says of packages."""

    vulnerability: Vulnerability
    affected: tuple[Affected, ...]


class Skipped(msgspec.Struct, frozen=True):
    """A record that was not taken, or (`whole` is false) a part of one that is kept without it."""

    where: str
    why: str
    whole: bool = True


Item: TypeAlias = Record | Skipped


def until(fixed: str) -> tuple[Events, ...]:
    """All versions before the fixed one; all versions where there is none."""
    start = ("introduced", "0")
    return (Events("ECOSYSTEM", (start, ("fixed", fixed)) if fixed else (start,)),)


def shortened(text: str) -> str:
    """The text as it is kept: long details are cut, and say so."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 2] + " …"
