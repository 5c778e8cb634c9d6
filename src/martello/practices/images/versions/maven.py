"""The order of Maven's versions: what ComparableVersion does, and a key for sorting.

Sources: Maven's POM reference, "version order specification", and the behaviour of Maven 3.6's
ComparableVersion, which the order in use agrees with (later ones moved some odd cases, each in its
own way): `.qualifier` < `-qualifier` < `-number` < `.number`, while `alpha … snapshot` < nothing =
`ga`, `final`, `release` < `sp` < other words.

That order is none: `1-a1 < 1`, `1 < 1.x.1` and `1.x.1 < 1-a1` all hold. So `compare` follows Maven
and is what decides; the key puts each part before or after the end first and so is a true order. It
differs from `compare` only in such circles.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from martello.practices.images.versions.encoding import KEPT, LONGEST, memoised, number, text

# A part: its kind, and what it is compared by among its kind. A list opens after a hyphen and where
# digits and letters meet, and holds all that follows.
_WORD, _LIST, _NUMBER = 1, 2, 3
_Part = tuple[int, bytes]
_OPEN: Final[_Part] = (_LIST, b"")
_ZERO: Final[_Part] = (_NUMBER, number("0"))
_KNOWN: Final = {
    word: bytes((rank,))
    for rank, words in enumerate(
        (("alpha",), ("beta",), ("milestone",), ("rc", "cr"), ("snapshot",),
         ("", "ga", "final", "release"), ("sp",))
    )
    for word in words
}  # fmt: skip
_RELEASE: Final = _KNOWN[""]
_OTHER: Final = b"\7"
_NOTHING: Final = (_ZERO, (_WORD, _RELEASE))
_SHORT: Final = {"a": "alpha", "b": "beta", "m": "milestone"}  # before a digit
_TOKEN: Final = re.compile(r"([0-9]+)|([^0-9.-]+)|([.-])")


def compare(a: str, b: str) -> int:
    """As Maven compares, as -1, 0 or 1."""
    ours, theirs = _parts(a), _parts(b)
    for left, right in zip(ours, theirs, strict=False):
        if left != right:
            return 1 if left > right else -1
    if len(ours) >= len(theirs):
        return _beside_nothing(ours[len(theirs) :])
    return -_beside_nothing(theirs[len(ours) :])


@memoised
def key(version: str) -> bytes:
    """A true order near Maven's: what comes before the end is by kind, then what comes after it."""
    encoded = [b"\x40"]
    above = True
    for kind, value in reversed(_parts(version)):
        if kind == _WORD and value != _RELEASE:
            above = value > _RELEASE
            encoded.append((b"\x48" if above else b"\x10") + value)
        elif kind == _LIST:
            encoded.append(b"\x50" if above else b"\x20")
        elif kind == _NUMBER and value != _ZERO[1]:
            above = True
            encoded.append(b"\x70" + value)
        else:  # equals nothing: it goes by what follows
            place = 0x60 if above else 0x30
            encoded.append(bytes((place + (kind == _NUMBER),)))
    return b"".join(reversed(encoded))


def _beside_nothing(rest: tuple[_Part, ...]) -> int:
    """How what one version has more compares with its absence: by the first part that is not
    nothing, but of a list Maven looks at the first part alone.
    """
    inside = False
    for kind, value in rest:
        if kind == _LIST:
            inside = True
        elif kind == _NUMBER and value != _ZERO[1]:
            return 1
        elif kind == _WORD and value != _RELEASE:
            return 1 if value > _RELEASE else -1
        elif inside:
            return 0
    return 0


def _parts(version: str) -> tuple[_Part, ...]:
    return _kept(version) if len(version) <= LONGEST else _parse(version)


def _parse(version: str) -> tuple[_Part, ...]:
    """The lists one in another, laid end to end, without what equals nothing at the end of each."""
    lists: list[list[_Part]] = [[]]
    gap = True  # nothing stands since the last separator
    tokens = _TOKEN.findall(version.lower())
    for place, (digits, word, separator) in enumerate(tokens):
        if separator:
            if gap:
                lists[-1].append(_ZERO)
            if separator == "-":
                lists.append([])
            gap = True
            continue
        if not gap:  # digits meet letters
            lists.append([])
        if digits:
            lists[-1].append((_NUMBER, number(digits)))
        else:
            short = place + 1 < len(tokens) and tokens[place + 1][0]
            lists[-1].append((_WORD, _ranked(_SHORT.get(word, word) if short else word)))
        gap = False
    parts: list[_Part] = []  # from the end
    for items in reversed(lists):
        while items and items[-1] in _NOTHING:
            items.pop()
        if parts:
            parts.append(_OPEN)
            parts.extend(reversed(items))
        else:
            parts = items[::-1]
    return tuple(reversed(parts))


def _ranked(word: str) -> bytes:
    return _KNOWN.get(word) or _OTHER + text(word)


_kept = lru_cache(maxsize=KEPT)(_parse)
