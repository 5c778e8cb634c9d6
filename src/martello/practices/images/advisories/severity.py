"""Severities: the feeds' own words and CVSS vectors as levels."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from martello.core.vulnerability import LEVELS, UNKNOWN

_WORDS: Final = {
    "moderate": "medium",
    "important": "high",
    "minor": "low",
    "unimportant": "negligible",
    "none": "negligible",
    "minimal": "negligible",
}
_PREFERRED: Final = ("CVSS_V4", "CVSS_V3", "CVSS_V2")


def level(word: object) -> str:
    """The level that a feed's own word names; empty where it names none."""
    if not isinstance(word, str):
        return ""
    found = word.strip().strip("*").lower()
    found = _WORDS.get(found, found)
    return found if found in LEVELS and found != UNKNOWN else ""


@lru_cache(maxsize=16384)
def level_of_vector(vector: str) -> str:
    """The level of a CVSS vector of version 2, 3 or 4 by its base score; empty where it is no
    vector. Version 2 has three levels, as its own rating says.
    """
    # the tables of the library are large, and most runs need no vector
    from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped]
    from cvss.exceptions import CVSSError  # type: ignore[import-untyped]

    if len(vector) > 512:
        return ""
    try:
        if vector.startswith("CVSS:4"):
            return level(CVSS4(vector).severity)
        if vector.startswith("CVSS:3"):
            return level(CVSS3(vector).severities()[0])
        return level(CVSS2(vector.strip("()")).severities()[0])
    except (CVSSError, ValueError, KeyError, ArithmeticError, TypeError):
        return ""


def level_of(word: str, vectors: Iterable[tuple[str, str]]) -> str:
    """The record's own level: its word, else the level of its newest kind of vector."""
    if word:
        return word
    given = sorted(vectors, key=lambda pair: _rank(pair[0]))
    return next((found for _, vector in given if (found := level_of_vector(vector))), "")


def _rank(kind: str) -> int:
    return _PREFERRED.index(kind) if kind in _PREFERRED else len(_PREFERRED)
