"""The order of Packagist's versions: PHP's version_compare, and Composer's reading of branches.

Sources: PHP's manual of version_compare; composer/semver for `dev-` names, below everything, and
for the `x` of a branch, a very high number. Composer first fills versions up to four numbers and
knows stabilities in any case; the order that advisories are written in does not: `3.0` < `3.0.0-b`,
`BETA` is a word like any other, and any other word comes first.

`#` equals every number in version_compare (`1.2.3.# = 1.2.3.1`), and no key equals two that differ:
`compare` keeps to PHP there, and the key of `#` is that of zero.
"""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.versions.encoding import memoised, number, text

_FLAG: Final = re.compile(r"@(?:stable|rc|beta|alpha|dev)\Z", re.IGNORECASE)
_BRANCH: Final = re.compile(r"([0-9]++(?:\.[0-9]++)*+(?:\.[xX*])++)(?:[.-]?dev)?")
_WILD: Final = re.compile(r"[xX*]")
_HIGH: Final = "9999999"
_PARTS: Final = re.compile(r"([0-9]+)|([^\W\d_]+)|(#)")
# by how a word begins
_WORDS: Final = (("dev", 2), ("a", 3), ("b", 4), ("rc", 5), ("RC", 5), ("p", 8))
_OTHER, _DEV, _END, _NUMBER = 1, 2, 6, 7
_Part = tuple[int, str]


@memoised
def key(version: str) -> bytes:
    """A `v` before it, in either case, does not count; nor does a stability flag (`@beta`)."""
    name, parts = _read(version)
    if name:
        return b"\0" + text(name)
    encoded = [
        bytes((rank,)) + number(value.strip("#")) if rank == _NUMBER else bytes((rank,))
        for rank, value in parts
    ]
    return b"\1" + b"".join(encoded) + bytes((_END,))


def compare(a: str, b: str) -> int:
    """As -1, 0 or 1: by keys, but for versions that hold `#`."""
    if "#" in a or "#" in b:
        (name, ours), (other, theirs) = _read(a), _read(b)
        if not name and not other:
            return _compare(ours, theirs)
    left, right = key(a), key(b)
    return (left > right) - (left < right)


def _read(version: str) -> tuple[str, list[_Part]]:
    """The name of a branch, or else the parts of a version."""
    rest = _FLAG.sub("", version.strip())
    if rest[:4].lower() == "dev-" or rest in ("master", "trunk", "default"):
        return "dev-" + (rest[4:] if rest[:4].lower() == "dev-" else rest), []
    rest = rest.removeprefix("v").removeprefix("V")
    branch = _BRANCH.fullmatch(rest)
    if branch:
        numbers = _WILD.sub(_HIGH, branch[1]).split(".")
        numbers += [_HIGH] * (4 - len(numbers))
        return "", [*((_NUMBER, digits) for digits in numbers), (_DEV, "")]
    return "", [
        (_rank(word), "") if word else (_NUMBER, digits or sign)
        for digits, word, sign in _PARTS.findall(rest)
    ]


def _rank(word: str) -> int:
    return next((rank for start, rank in _WORDS if word.startswith(start)), _OTHER)


def _compare(ours: list[_Part], theirs: list[_Part]) -> int:
    """Part by part, `#` like any number; what has more parts goes by the first of them."""
    for place in range(max(len(ours), len(theirs))):
        rank, value = ours[place] if place < len(ours) else (_END, "")
        other, against = theirs[place] if place < len(theirs) else (_END, "")
        if rank != other:
            return 1 if rank > other else -1
        if rank == _NUMBER and "#" not in (value, against):
            left, right = number(value), number(against)
            if left != right:
                return 1 if left > right else -1
    return 0
