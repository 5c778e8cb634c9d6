"""Patterns with `*` (any text) and `?` (one character), as Kyverno and Gatekeeper write names."""

from __future__ import annotations


def covers(pattern: str, text: str) -> bool:
    """Whether the whole text fits the pattern. Linear but for one step back to the last star."""
    p = t = 0
    star, mark = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, mark = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", text[t]):
            p += 1
            t += 1
        elif star >= 0:
            mark += 1
            p, t = star + 1, mark
        else:
            return False
    return not pattern[p:].strip("*")


def has_wildcard(text: str) -> bool:
    """Whether the text is a pattern at all."""
    return "*" in text or "?" in text
