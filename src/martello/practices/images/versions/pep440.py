"""The order of Python's versions (PEP 440), with the older spellings below all of them.

Sources: PEP 440 and the Python packaging guide's version specifiers; for legacy versions the
comparison that setuptools and packaging made before they refused them.
"""

from __future__ import annotations

import re
from typing import Final

from martello.practices.images.versions.encoding import memoised, number, text

_VERSION: Final = re.compile(
    r"v?(?:([0-9]++)!)?([0-9]++(?:\.[0-9]++)*+)"
    r"(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]++)?)?"
    r"(?:-([0-9]++)|[-_.]?(post|rev|r)[-_.]?([0-9]++)?)?"
    r"(?:[-_.]?(dev)[-_.]?([0-9]++)?)?"
    r"(?:\+([a-z0-9]++(?:[-_.][a-z0-9]++)*+))?",
    re.IGNORECASE | re.ASCII,
)
_PRE: Final = {"a": b"\1", "alpha": b"\1", "b": b"\2", "beta": b"\2"}  # the others: a candidate
_SEPARATOR: Final = re.compile(r"[-_.]")
_LEGACY: Final = re.compile(r"([0-9]+|[a-z]+|\.|-)")
_LEGACY_WORDS: Final = {"pre": "c", "preview": "c", "rc": "c", "-": "final-", "dev": "@"}


@memoised
def key(version: str) -> bytes:
    """Case, alternative spellings and zeros at the end of the release do not count."""
    match = _VERSION.fullmatch(version.strip())
    if match is None:
        return b"\0" + _legacy(version.lower())
    epoch, release, pre, pre_n, implicit, post, post_n, dev, dev_n, local = match.groups()
    encoded = [b"\1", number(epoch or ""), _release(release)]
    if pre:
        encoded.append(_PRE.get(pre.lower(), b"\3") + number(pre_n or ""))
    elif dev and not post and not implicit:
        encoded.append(b"\0")  # 1.0.dev1 comes before 1.0a1
    else:
        encoded.append(b"\4")
    encoded.append(b"\1" + number(implicit or post_n or "") if post or implicit else b"\0")
    encoded.append(b"\0" + number(dev_n or "") if dev else b"\1")
    encoded.append(_local(local))
    return b"".join(encoded)


def _release(release: str) -> bytes:
    parts = [number(digits) for digits in release.split(".")]
    while parts and parts[-1] == b"\0":
        parts.pop()
    return b"".join([b"\1" + part for part in parts]) + b"\0"


def _local(local: str | None) -> bytes:
    """Words before numbers, fewer before more, none before any."""
    if local is None:
        return b"\0"
    parts = _SEPARATOR.split(local.lower())
    return b"".join([b"\2" + number(p) if p.isdigit() else b"\1" + text(p) for p in parts]) + b"\0"


def _legacy(version: str) -> bytes:
    """Parts as text, numbers filled up to eight digits; `final` closes, so that what is named
    before it in the alphabet makes a pre-release.
    """
    parts: list[str] = []
    for part in [*_LEGACY.split(version), "final"]:
        if not part or part == ".":
            continue
        part = _LEGACY_WORDS.get(part, part)
        if part[0] in "0123456789":
            parts.append(part.zfill(8))
            continue
        part = "*" + part
        if part < "*final":
            while parts and parts[-1] == "*final-":
                parts.pop()
        while parts and parts[-1] == "00000000":
            parts.pop()
        parts.append(part)
    return b"".join([b"\1" + text(part) for part in parts]) + b"\0"
