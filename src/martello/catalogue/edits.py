"""The edits of a fix, made to plain data: what the object looks like once the advice is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from martello.core.path import Path, look_up
from martello.core.path import parse as parse_path


def edited(raw: Any, base: Path, edits: Iterable[Mapping[str, Any]]) -> Any:
    """The object with the edits made at `base`, the place of an element. The input stays as it is;
    an edit that finds nothing to change changes nothing.
    """
    for edit in edits:
        if "remove" in edit:
            raw = _removed(raw, (*base, *parse_path(edit["remove"])))
        elif "add" in edit:
            path = (*base, *parse_path(edit["add"]))
            present = look_up(raw, path)
            items = present if isinstance(present, list) else []
            if edit["value"] not in items:
                raw = _put(raw, path, [*items, edit["value"]])
        else:
            raw = _put(raw, (*base, *parse_path(edit["set"])), edit["value"])
    return raw


def _put(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    part = path[0]
    if isinstance(part, str):
        mapping = value if isinstance(value, dict) else {}
        return {**mapping, part: _put(mapping.get(part), path[1:], new)}
    if not isinstance(value, list) or part >= len(value):
        return value
    return [*value[:part], _put(value[part], path[1:], new), *value[part + 1 :]]


def _removed(value: Any, path: Path) -> Any:
    part = path[0]
    if isinstance(part, str):
        if not isinstance(value, dict) or part not in value:
            return value
        if len(path) == 1:
            return {key: item for key, item in value.items() if key != part}
        return {**value, part: _removed(value[part], path[1:])}
    if not isinstance(value, list) or part >= len(value):
        return value
    if len(path) == 1:
        return value[:part] + value[part + 1 :]
    return [*value[:part], _removed(value[part], path[1:]), *value[part + 1 :]]
