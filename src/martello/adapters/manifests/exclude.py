"""Patterns of paths to leave out, as .gitignore writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final


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
    """A regular expression for the whole path, `**` standing for any number of names."""
    names = pattern.split("/")
    parts: list[str] = []
    for index, name in enumerate(names):
        last = index == len(names) - 1
        if name == "**":
            if last:
                parts.append(".*")
            elif names[index + 1] != "**":
                parts.append("(?:.*/)?")
        else:
            parts.append(_name(name) + ("" if last else "/"))
    return "".join(parts)


def _name(pattern: str) -> str:
    """A regular expression for one name. What stands between two stars is looked for once, without
    going back (it would be found later only to the same end), so that no pattern is slow.
    """
    first, *between = (_letters(piece) for piece in re.split(r"\*+", pattern))
    if not between:
        return first
    *middle, end = between
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle) + f"[^/]*{end}"


_LETTER: Final = re.compile(r"\[!?\]?[^\]/]*\]|.", re.DOTALL)


def _letters(pattern: str) -> str:
    parts: list[str] = []
    for match in _LETTER.finditer(pattern):
        letter = match.group()
        if len(letter) > 1:
            inner = re.escape(letter[1:-1].removeprefix("!")).replace("\\-", "-")
            parts.append(f"[{'^/' if letter[1] == '!' else ''}{inner}]")
        else:
            parts.append("[^/]" if letter == "?" else re.escape(letter))
    return "".join(parts)
