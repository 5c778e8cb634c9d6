"""Reading the fields of a policy: what is missing, and what is of the wrong kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.path import Path, look_up, show
from martello.core.resource import kind_of


class Malformed(Exception):
    """The policy has a field that no server would take; the message names it."""


def mapping(raw: Any, path: Path) -> Mapping[str, Any]:
    """The mapping at a path, empty where it is absent."""
    value = look_up(raw, path)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{show(path)} is a {kind_of(value)}, not a mapping")
    return value


def items(raw: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The mappings of the list at a path, each with its own path; none where it is absent."""
    value = look_up(raw, path)
    if value is None:
        return
    if not isinstance(value, list):
        raise Malformed(f"{show(path)} is a {kind_of(value)}, not a list")
    for index, element in enumerate(value):
        if not isinstance(element, dict):
            raise Malformed(f"{show((*path, index))} is a {kind_of(element)}, not a mapping")
        yield (*path, index), element


def text(raw: Any, path: Path, default: str = "") -> str:
    """The string at a path."""
    value = look_up(raw, path)
    if value is None:
        return default
    if not isinstance(value, str):
        raise Malformed(f"{show(path)} is a {kind_of(value)}, not a string")
    return value


def needed(raw: Any, path: Path) -> str:
    """The string at a path, which must be there."""
    value = text(raw, path)
    if not value.strip():
        raise Malformed(f"{show(path)} is missing")
    return value


def texts(raw: Any, path: Path) -> tuple[str, ...]:
    """The strings of the list at a path, empty where it is absent."""
    value = look_up(raw, path)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise Malformed(f"{show(path)} is not a list of strings")
    return tuple(value)


def one_of(raw: Any, path: Path, words: tuple[str, ...], default: str) -> str:
    """One of some words."""
    value = text(raw, path, default)
    if value not in words:
        raise Malformed(f"{show(path)} is none of {', '.join(words)}")
    return value
