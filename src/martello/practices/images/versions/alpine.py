"""The order of apk's versions: Alpine, Wolfi, Chainguard and their kin.

Source: apk-package(5) and the behaviour of apk-tools 3: number{.number}…{letter}{_suffix{number}}…
{~hash}{-rN}. Where two versions go on differently, an earlier kind of part wins over a later one,
any part over none, none over what the grammar does not know, and that over a pre-release suffix.
"""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.versions.encoding import memoised, number, text

_SUFFIXES: Final = ("alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p")
_VERSION: Final = re.compile(
    r"([0-9]++)((?:\.[0-9]++)*+)([a-z]?)"
    rf"((?:_(?:{'|'.join(_SUFFIXES)})(?![a-z])[0-9]*+)*+)"
    r"(?:~([0-9a-f]++))?(?:-r([0-9]++))?"
)
_EACH_SUFFIX: Final = re.compile(r"_([a-z]+)([0-9]*)")
_RUNS: Final = re.compile(r"([^0-9]*)([0-9]*)")
_PRE, _UNKNOWN, _END, _REVISION = b"\x10", b"\x20", b"\x30", b"\x40"
_HASH, _SUFFIX_NUMBER, _POST = b"\x50", b"\x60", b"\x70"
_LETTER, _NUMBER, _FIRST = b"\x80", b"\x90", b"\xa0"


@memoised
def key(version: str) -> bytes:
    """What is left over where the grammar ends is compared as text with numbers in it; what
    follows `-r` and is no number says nothing, and makes of `-r0` no revision.
    """
    version = version.strip()
    match = _VERSION.match(version)
    if match is None:
        return _UNKNOWN + _natural(version)
    first, others, letter, suffixes, digest, revision = match.groups()
    rest = version[match.end() :]
    encoded = [_FIRST + number(first)]
    encoded.extend(_NUMBER + _component(digits) for digits in others.split(".")[1:])
    if letter:
        encoded.append(_LETTER + letter.encode())
    for suffix, digits in _EACH_SUFFIX.findall(suffixes):
        place = _SUFFIXES.index(suffix)
        encoded.append((_PRE if place < _SUFFIXES.index("cvs") else _POST) + bytes((place,)))
        if digits:
            encoded.append(_SUFFIX_NUMBER + number(digits))
    if digest:
        encoded.append(_HASH + text(digest))
    if revision and (not rest or revision.strip("0")):
        encoded.append(_REVISION + number(revision))
    if not rest:
        encoded.append(_END)
    elif revision or rest.startswith("-r"):
        encoded.append(_UNKNOWN + _natural(""))
    else:
        encoded.append(_UNKNOWN + _natural(rest))
    return b"".join(encoded)


def _component(digits: str) -> bytes:
    """A further number. With a leading zero it is compared as text, as a decimal fraction is, and
    so comes before all others.
    """
    return b"\0" + text(digits) if digits[0] == "0" else number(digits)


def _natural(rest: str) -> bytes:
    return b"".join(text(others) + number(digits) for others, digits in _RUNS.findall(rest))
