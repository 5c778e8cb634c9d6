"""The order of rpm's versions: Red Hat, SUSE and all others that package with rpm.

Source: rpm's manual on versions and the behaviour of rpmvercmp: segments of digits and of letters,
whatever separates them; `~` before the end, `^` after it and before any further segment. A missing
epoch is 0; a missing release comes before any.
"""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.versions.encoding import memoised, number

_SEGMENTS: Final = re.compile(r"([0-9]+)|([A-Za-z]+)|([~^])")
_TILDE, _END, _CARET, _LETTERS, _DIGITS = b"\1", b"\2", b"\3", b"\4", b"\5"


@memoised
def key(version: str) -> bytes:
    """Of epoch:version-release. What stands before a colon and is not all digits is no epoch."""
    epoch, rest, release = _split(version)
    return _joined(epoch, rest) + (b"\0" if release is None else b"\1" + _segments(release))


@memoised
def key_without_release(version: str) -> bytes:
    """Of epoch and version alone: what a range's bound without release is compared with."""
    epoch, rest, _ = _split(version)
    return _joined(epoch, rest)


def has_release(version: str) -> bool:
    """Whether a release is given. A bound that has none says nothing of releases."""
    return "-" in version


def compare_bound(version: str, bound: str) -> int:
    """A version with the bound of a range, as rpm compares a dependency: without release where the
    bound has none.
    """
    side = key if has_release(bound) else key_without_release
    left, right = side(version), side(bound)
    return (left > right) - (left < right)


def _split(version: str) -> tuple[str, str, str | None]:
    rest = version.strip()
    epoch, colon, tail = rest.partition(":")
    if colon and (not epoch or (epoch.isascii() and epoch.isdigit())):
        rest = tail
    else:
        epoch = ""
    head, dash, release = rest.rpartition("-")
    return (epoch, head, release) if dash else (epoch, rest, None)


def _joined(epoch: str, rest: str) -> bytes:
    return number(epoch) + _segments(rest)


def _segments(field: str) -> bytes:
    encoded = []
    for digits, letters, sign in _SEGMENTS.findall(field):
        if digits:
            encoded.append(_DIGITS + number(digits))
        elif letters:
            encoded.append(_LETTERS + letters.encode() + b"\0")
        else:
            encoded.append(_TILDE if sign == "~" else _CARET)
    return b"".join(encoded) + _END
