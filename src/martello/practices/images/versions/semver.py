"""The order of Semantic Versioning: npm, crates.io, Go, Hex, Swift and others.

Source: semver.org 2.0.0, item 11: numbers, then pre-release identifiers; build metadata does not
count (so Go's `+incompatible` does not, and its pseudo-versions are pre-releases as any other).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from martello.practices.images.versions.encoding import memoised, number, text

_NUMBERS: Final = re.compile(r"(?:[vV=]|go(?=[0-9]))?\s*+([0-9]++(?:\.[0-9]++)*+)?")


@memoised
def key(version: str) -> bytes:
    """A leading `v`, `=` or `go` does not count. Absent numbers are zero and there may be more than
    three; what follows them is a pre-release, with or without a hyphen; a version without any
    number is a pre-release of 0.
    """
    numbers, pre, _ = split(version)
    return release(numbers) + identifiers(pre)


def split(version: str) -> tuple[list[str], str, str]:
    """The numbers, the pre-release and the build metadata of a version, as far as it has them."""
    version = version.strip()
    match = _NUMBERS.match(version)
    numbers = match[1].split(".") if match and match[1] else []
    rest = version[match.end() :] if match and numbers else version
    pre, _, build = rest.partition("+")
    return numbers, pre.lstrip("._").removeprefix("-"), build


def release(numbers: Sequence[str]) -> bytes:
    """Numbers, of which zeros at the end do not count."""
    parts = [number(digits) for digits in numbers]
    while parts and parts[-1] == b"\0":
        parts.pop()
    return b"".join([b"\1" + part for part in parts]) + b"\0"


def identifiers(pre: str) -> bytes:
    """A pre-release: numbers before words, fewer before more, and all before none (item 11.4)."""
    if not pre:
        return b"\3"
    return b"".join([_identifier(part) for part in pre.split(".")]) + b"\0"


def _identifier(part: str) -> bytes:
    if part.isascii() and part.isdigit():
        return b"\1" + number(part)
    return b"\2" + text(part)
