"""The order of RubyGems' versions; CocoaPods compares the same way.

Source: the documentation and behaviour of Gem::Version: runs of digits and of letters, a letter
anywhere makes a pre-release, `-` is `.pre.`, zeros at the end and before the first word do not
count, and what is absent is zero.
"""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.versions.encoding import memoised, number, text

_SEGMENTS: Final = re.compile(r"[0-9]+|[A-Za-z]+")
_WORD, _ZERO_LOW, _END, _ZERO_HIGH, _NUMBER = b"\1", b"\2", b"\3", b"\4", b"\5"


@memoised
def key(version: str) -> bytes:
    """Characters that RubyGems forbids separate, as its scan has it."""
    segments = _SEGMENTS.findall(version.replace("-", ".pre."))
    return _encoded(_canonical(segments))


@memoised
def pod_key(version: str) -> bytes:
    """CocoaPods ignores build metadata, as semantic versions do."""
    return key(version.partition("+")[0])


def _canonical(segments: list[str]) -> list[str]:
    """Without the zeros that end the leading numbers, and those that end the whole."""
    values = [s.lstrip("0") or "0" if s[0].isdigit() else s for s in segments]
    word = next((i for i, value in enumerate(values) if value.isalpha()), len(values))
    return _trimmed(values[:word]) + _trimmed(values[word:])


def _trimmed(values: list[str]) -> list[str]:
    end = len(values)
    while end and values[end - 1] == "0":
        end -= 1
    return values[:end]


def _encoded(values: list[str]) -> bytes:
    """Since the end equals any count of zeros, a zero sorts by what its run leads to: below the end
    where a word follows, above it where a number does.
    """
    encoded = [_END]
    zero = _ZERO_HIGH
    for value in reversed(values):
        if value == "0":
            encoded.append(zero)
        elif value.isalpha():
            encoded.append(_WORD + text(value))
            zero = _ZERO_LOW
        else:
            encoded.append(_NUMBER + number(value))
            zero = _ZERO_HIGH
    return b"".join(reversed(encoded))
