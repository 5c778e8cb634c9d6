"""Patterns of paths to leave out, as .gitignore writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence


def excluder(patterns: Sequence[str]) -> Callable[[str, bool], bool]:
    """A predicate over a path (relative, with slashes) and whether it is a directory.

    A pattern without an inner slash matches a name at any depth, one with a slash from the root.
    `*` and `?` stay within a name, `**` spans several, `!` takes back, a final slash means
    directories only. The last pattern that matches decides.
    """
    rules = [rule for rule in map(_rule, patterns) if rule is not None]
    if not rules:
        return lambda path, directory: False

    def excluded(path: str, directory: bool) -> bool:
        verdict = False
        for expression, only_directories, takes_back in rules:
            if (directory or not only_directories) and expression.fullmatch(path):
                verdict = not takes_back
        return verdict

    return excluded


def _rule(pattern: str) -> tuple[re.Pattern[str], bool, bool] | None:
    pattern = pattern.strip()
    takes_back = pattern.startswith("!")
    pattern = pattern.removeprefix("!").removeprefix("./")
    only_directories = pattern.endswith("/")
    pattern = pattern.rstrip("/")
    if not pattern or pattern.startswith("#"):
        return None
    anchored = "/" in pattern
    text = _expression(pattern.removeprefix("/"))
    if not anchored:
        text = f"(?:.*/)?{text}"
    return re.compile(text, re.DOTALL), only_directories, takes_back


def _expression(pattern: str) -> str:
    """A regular expression without nested repetition over the same characters."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        if pattern.startswith("**/", position):
            parts.append("(?:.*/)?")
            position += 3
        elif pattern.startswith("**", position):
            parts.append(".*")
            position += 2
        elif (match := re.compile(r"\[!?\]?[^\]/]*\]").match(pattern, position)) is not None:
            inner = match.group()[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            parts.append(f"[{'^' + inner[1:] if inner.startswith('!') else inner}]")
            position = match.end()
        else:
            letter = pattern[position]
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(letter, re.escape(letter)))
            position += 1
    return "".join(parts)
