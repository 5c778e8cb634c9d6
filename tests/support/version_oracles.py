"""Version orders written down as their documents tell them: slow, plain, and not by keys."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any


def sign(difference: int) -> int:
    """-1, 0 or 1."""
    return (difference > 0) - (difference < 0)


def debian(a: str, b: str) -> int:
    """Debian policy 5.6.12."""
    (epoch, upstream, revision), (other, above, below) = _debian_fields(a), _debian_fields(b)
    return sign(epoch - other) or _debian_part(upstream, above) or _debian_part(revision, below)


def _debian_fields(version: str) -> tuple[int, str, str]:
    epoch, rest = version.split(":", 1) if re.match(r"[0-9]+:", version) else ("0", version)
    upstream, revision = rest.rsplit("-", 1) if "-" in rest else (rest, "0")
    return int(epoch), upstream, revision


def _debian_part(a: str, b: str) -> int:
    def weight(character: str) -> int:
        if character == "~":
            return -1
        return (
            ord(character) if character.isascii() and character.isalpha() else ord(character) + 256
        )

    while a or b:
        for run in (r"[^0-9]*", r"[0-9]*"):
            x, y = re.match(run, a), re.match(run, b)
            assert x
            assert y
            a, b = a[x.end() :], b[y.end() :]
            if run == r"[0-9]*":
                if difference := sign(int(x[0] or "0") - int(y[0] or "0")):
                    return difference
                continue
            for left, right in zip_longest(x[0], y[0]):
                difference = (weight(left) if left else 0) - (weight(right) if right else 0)
                if difference:
                    return sign(difference)
    return 0


def rpm_segments(a: str, b: str) -> int:
    """rpm's comparison of two versions, or of two releases, step by step."""
    while True:
        a = re.sub(r"\A[^A-Za-z0-9~^]+", "", a)
        b = re.sub(r"\A[^A-Za-z0-9~^]+", "", b)
        if a[:1] == "~" or b[:1] == "~":
            if a[:1] != b[:1]:
                return -1 if a[:1] == "~" else 1
            a, b = a[1:], b[1:]
            continue
        if a[:1] == "^" or b[:1] == "^":
            if not a or not b:
                return -1 if not a else 1
            if a[0] != b[0]:
                return -1 if a[0] == "^" else 1
            a, b = a[1:], b[1:]
            continue
        if not a or not b:
            return sign(len(a) - len(b))
        numeric = a[0] in "0123456789"
        run = r"[0-9]+" if numeric else r"[A-Za-z]+"
        x, y = re.match(run, a), re.match(run, b)
        assert x
        if not y:
            return 1 if numeric else -1
        difference = int(x[0]) - int(y[0]) if numeric else (x[0] > y[0]) - (x[0] < y[0])
        if difference:
            return sign(difference)
        a, b = a[x.end() :], b[y.end() :]


_APK_PRE = ("alpha", "beta", "pre", "rc")
_APK_SUFFIXES = (*_APK_PRE, "cvs", "svn", "git", "hg", "p")
_APK_TOKEN = re.compile(r"\.[0-9]+|\A[0-9]+|_[a-z]+|-r[0-9]+|~[0-9a-f]+|[0-9]+|[a-z]")
_APK_KINDS = ("first", "number", "letter", "suffix", "count", "hash", "revision", "end")


def apk(a: str, b: str) -> int:
    """apk's comparison, token by token, of versions within its grammar."""
    for (kind, left), (other, right) in zip(_apk_tokens(a), _apk_tokens(b), strict=False):
        if kind != other:
            if kind == "suffix" and left in _APK_PRE:
                return -1
            if other == "suffix" and right in _APK_PRE:
                return 1
            return sign(_APK_KINDS.index(other) - _APK_KINDS.index(kind))
        if kind == "suffix":
            difference = _APK_SUFFIXES.index(left) - _APK_SUFFIXES.index(right)
        elif kind in ("letter", "hash") or (kind == "number" and "0" in (left[0], right[0])):
            difference = (left > right) - (left < right)
        else:
            difference = int(left or "0") - int(right or "0")
        if difference:
            return sign(difference)
    return 0


def _apk_tokens(version: str) -> list[tuple[str, str]]:
    tokens = []
    for match in _APK_TOKEN.finditer(version):
        token = match[0]
        if token[0] == ".":
            tokens.append(("number", token[1:]))
        elif token[0] == "_":
            tokens.append(("suffix", token[1:]))
        elif token[0] == "-":
            tokens.append(("revision", token[2:]))
        elif token[0] == "~":
            tokens.append(("hash", token[1:]))
        elif token[0].isdigit():
            tokens.append(("count" if tokens else "first", token))
        else:
            tokens.append(("letter", token))
    return [*tokens, ("end", "")]


def semver(a: str, b: str) -> int:
    """semver.org, item 11, of valid versions."""
    (core, _, pre), (other, _, behind) = (v.split("+")[0].partition("-") for v in (a, b))
    for left, right in zip(core.split("."), other.split("."), strict=True):
        if int(left) != int(right):
            return sign(int(left) - int(right))
    if not pre or not behind:
        return bool(behind) - bool(pre)
    for one, two in zip_longest(pre.split("."), behind.split(".")):
        if one is None or two is None:
            return -1 if one is None else 1
        if one == two:
            continue
        if one.isdigit() and two.isdigit():
            if int(one) != int(two):
                return sign(int(one) - int(two))
        elif one.isdigit() or two.isdigit():
            return -1 if one.isdigit() else 1
        else:
            return 1 if one > two else -1
    return 0


def gem(a: str, b: str) -> int:
    """Gem::Version's comparison: canonical segments, the shorter filled up with zeros."""

    def segments(version: str) -> list[int | str]:
        found = re.findall(r"[0-9]+|[A-Za-z]+", version.replace("-", ".pre."))
        values: list[int | str] = [int(s) if s[0].isdigit() else s for s in found]
        word = next((i for i, value in enumerate(values) if isinstance(value, str)), len(values))
        canonical: list[int | str] = []
        for part in (values[:word], values[word:]):
            while part and part[-1] == 0:
                part.pop()
            canonical += part
        return canonical

    for left, right in zip_longest(segments(a), segments(b), fillvalue=0):
        if left == right:
            continue
        if isinstance(left, str) and isinstance(right, str):
            return 1 if left > right else -1
        if isinstance(left, str) or isinstance(right, str):
            return -1 if isinstance(left, str) else 1
        return sign(left - right)
    return 0


def php(a: str, b: str) -> int:
    """PHP's version_compare, by its manual."""

    def rank(part: str) -> int:
        names = ("dev", "alpha", "a", "beta", "b", "RC", "rc", "#", "pl", "p")
        weights = (0, 1, 1, 2, 2, 3, 3, 4, 5, 5)
        found = (w for n, w in zip(names, weights, strict=True) if part.startswith(n))
        return 4 if part.isdigit() else next(found, -1)

    def parts(version: str) -> list[str]:
        return re.findall(r"[0-9]+|[A-Za-z]+", version)

    for left, right in zip_longest(parts(a), parts(b)):
        if left is None:
            return -1 if right.isdigit() else sign(4 - rank(right))
        if right is None:
            return 1 if left.isdigit() else sign(rank(left) - 4)
        both = left.isdigit() and right.isdigit()
        difference = int(left) - int(right) if both else rank(left) - rank(right)
        if difference:
            return sign(difference)
    return 0


_MAVEN = ("alpha", "beta", "milestone", "rc", "snapshot", "", "sp")
_MAVEN_SAME = {"ga": "", "final": "", "release": "", "cr": "rc"}
_MAVEN_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}


def maven(a: str, b: str) -> int:
    """ComparableVersion's comparison, on lists within lists."""
    return _maven_items(_maven_tree(a), _maven_tree(b))


def _maven_tree(version: str) -> list[Any]:
    lists: list[list[Any]] = [[]]
    text = re.sub(r"(?<=[0-9])(?=[^0-9.-])|(?<=[^0-9.-])(?=[0-9])", "\0", version.lower())
    pieces = re.split(r"([.\0-])", text)
    for place in range(0, len(pieces), 2):
        piece = pieces[place]
        after = pieces[place + 1] if place + 1 < len(pieces) else ""
        if piece or after:
            lists[-1].append(
                int(piece or "0") if not piece.strip("0123456789") else _maven_word(piece, after)
            )
        if after in ("-", "\0"):
            lists.append([])
    for outer, inner in zip(reversed(lists), [None, *reversed(lists)], strict=False):
        while outer and outer[-1] in (0, ""):
            outer.pop()
        if inner:
            outer.append(inner)
    return lists[0]


def _maven_word(piece: str, after: str) -> str:
    word = _MAVEN_SHORT.get(piece, piece) if after == "\0" else piece
    return _MAVEN_SAME.get(word, word)


def _maven_qualifier(word: str) -> tuple[int, str]:
    return (_MAVEN.index(word), "") if word in _MAVEN else (len(_MAVEN), word)


def _maven_items(a: list[Any], b: list[Any]) -> int:
    for left, right in zip_longest(a, b):
        result = _maven_item(left, right) if left is not None else -_maven_item(right, None)
        if result:
            return result
    return 0


def _maven_item(item: Any, other: Any) -> int:
    if other is None:
        if isinstance(item, list):
            return _maven_item(item[0], None)
        if isinstance(item, int):
            return sign(item)
        return sign(_maven_qualifier(item)[0] - _MAVEN.index(""))
    kinds = [str, list, int]
    if type(item) is not type(other):
        return sign(kinds.index(type(item)) - kinds.index(type(other)))
    if isinstance(item, list):
        return _maven_items(item, other)
    if isinstance(item, int):
        return sign(item - other)
    left, right = _maven_qualifier(item), _maven_qualifier(other)
    return (left > right) - (left < right)
