"""Character classes of RE2: sorted code point ranges, case folding, and the named classes."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

Ranges = tuple[tuple[int, int], ...]

LAST: Final = 0x10FFFF
ANY: Final[Ranges] = ((0, LAST),)
DIGIT: Final[Ranges] = ((0x30, 0x39),)
SPACE: Final[Ranges] = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
WORD: Final[Ranges] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))

PERL: Final[dict[str, Ranges]] = {"d": DIGIT, "s": SPACE, "w": WORD}

POSIX: Final[dict[str, Ranges]] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": DIGIT,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": WORD,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}

_CATEGORIES: Final = frozenset(
    {"C", "L", "M", "N", "P", "S", "Z"}
    | {"Cc", "Cf", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd", "Nl", "No"}
    | {"Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs"}
)

_named: dict[str, Ranges] = {"Any": ANY}
_cased: list[int] = []


def clean(ranges: list[tuple[int, int]]) -> Ranges:
    """Sort and merge ranges."""
    if len(ranges) < 2:
        return tuple(ranges)
    ranges.sort()
    merged = [ranges[0]]
    for low, high in ranges[1:]:
        if low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def negate(ranges: Ranges) -> Ranges:
    """Every code point that is not in `ranges`."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        gaps.append((start, LAST))
    return tuple(gaps)


def union(one: Ranges, other: Ranges) -> Ranges:
    """Code points in either."""
    if not one or not other:
        return one or other
    return clean([*one, *other])


def overlaps(one: Ranges, other: Ranges) -> bool:
    """Whether any code point is in both."""
    i = j = 0
    while i < len(one) and j < len(other):
        if one[i][1] < other[j][0]:
            i += 1
        elif other[j][1] < one[i][0]:
            j += 1
        else:
            return True
    return False


def contains(ranges: Ranges, point: int) -> bool:
    """Whether the code point is in `ranges`."""
    at = bisect_right(ranges, (point, LAST + 1)) - 1
    return at >= 0 and point <= ranges[at][1]


def fold(ranges: Ranges) -> Ranges:
    """`ranges` and everything that differs from a member by case alone (simple folding)."""
    if ranges == ANY:
        return ranges
    found = list(ranges)
    size = sum(high - low + 1 for low, high in ranges)
    if size > 2000:
        points = [point for point in _all_cased() if contains(ranges, point)]
    else:
        points = [point for low, high in ranges for point in range(low, high + 1)]
    for point in points:
        found.extend((other, other) for other in _orbit(point))
    return clean(found)


# Case classes of more than two members: `str.lower` and `str.upper` alone do not connect them.
_ORBITS: Final = (
    "Kk\u212a",
    "Ss\u017f",
    "\u00c5\u00e5\u212b",
    "\u00b5\u039c\u03bc",
    "\u00df\u1e9e",
    "\u01c4\u01c5\u01c6",
    "\u01c7\u01c8\u01c9",
    "\u01ca\u01cb\u01cc",
    "\u01f1\u01f2\u01f3",
    "\u0345\u0399\u03b9\u1fbe",
    "\u0392\u03b2\u03d0",
    "\u0395\u03b5\u03f5",
    "\u0398\u03b8\u03d1\u03f4",
    "\u039a\u03ba\u03f0",
    "\u03a0\u03c0\u03d6",
    "\u03a1\u03c1\u03f1",
    "\u03a3\u03c2\u03c3",
    "\u03a6\u03c6\u03d5",
    "\u03a9\u03c9\u2126",
    "\u0412\u0432\u1c80",
    "\u0414\u0434\u1c81",
    "\u041e\u043e\u1c82",
    "\u0421\u0441\u1c83",
    "\u0422\u0442\u1c84\u1c85",
    "\u042a\u044a\u1c86",
    "\u0462\u0463\u1c87",
    "\u1c88\ua64a\ua64b",
    "\u1e60\u1e61\u1e9b",
)
_SPECIAL: Final = {char: orbit for orbit in _ORBITS for char in orbit}


def _orbit(point: int) -> set[int]:
    char = chr(point)
    special = _SPECIAL.get(char)
    if special is not None:
        return {ord(other) for other in special}
    orbit = {point}
    for other in (char.lower(), char.upper()):
        if len(other) == 1 and (other.lower() == char or other.upper() == char):
            orbit.add(ord(other))
    return orbit


def _all_cased() -> list[int]:
    if not _cased:
        _cased.extend(
            point for point in range(0x1F000) if len(_orbit(point)) > 1 or chr(point) in _SPECIAL
        )
    return _cased


def unicode_class(name: str) -> Ranges | None:
    """The class `\\p{name}`: a general category or a script; None for an unknown name."""
    known = _named.get(name)
    if known is not None:
        return known
    if name in _CATEGORIES:
        ranges = _category(name)
    else:
        from martello.cel.re2.scripts import SCRIPTS

        text = SCRIPTS.get(name)
        if text is None:
            return None
        ranges = tuple(_parse_range(item) for item in text.split())
    _named[name] = ranges
    return ranges


def _parse_range(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    return int(low, 16), int(high or low, 16)


def _category(name: str) -> Ranges:
    import unicodedata

    wanted = (
        ("Cc", "Cf", "Cs", "Co")
        if name == "C"
        else tuple(item for item in _CATEGORIES if len(item) == 2 and item.startswith(name))
    )
    found: list[tuple[int, int]] = []
    category = unicodedata.category
    start = -1
    for point in range(LAST + 1):
        if category(chr(point)) in wanted:
            if start < 0:
                start = point
        elif start >= 0:
            found.append((start, point - 1))
            start = -1
    if start >= 0:
        found.append((start, LAST))
    return tuple(found)
