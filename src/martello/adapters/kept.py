"""Where an object was written, as a bundle keeps it: the positions of its nodes, in one tree."""

from __future__ import annotations

import re
from typing import Any, Final

from martello.core.errors import BadInput
from martello.core.path import Path
from martello.core.resource import Comment, Duplicate, Location, Resource

# Comments that speak to a scanner. Others may hold anything: only their lines are kept.
_DIRECTIVE: Final = r"(?i)\b(?:martello|checkov|trivy|kube-?linter|kics|polaris|nosec|skip|ignore)"
_FARTHEST: Final = 1 << 31
_DEEPEST: Final = 100  # below, a node is where its ancestor is: JSON writers nest 250 deep at most


class Kept:
    """The origin of an object that was read from a bundle: it answers as the first one did."""

    __slots__ = ("_comments", "_duplicates", "_tree", "where")

    def __init__(
        self,
        where: str,
        tree: Any = None,
        comments: tuple[Comment, ...] = (),
        duplicates: tuple[Duplicate, ...] = (),
    ) -> None:
        self.where = where
        self._tree = tree
        self._comments = comments
        self._duplicates = duplicates

    def locate(self, path: Path) -> Location:
        """The place of the node at `path`, or of its nearest existing ancestor."""
        node = self._tree
        if node is None:
            return Location(self.where)
        for part in path:
            inner = _child(node, part)
            if inner is None:
                break
            node = inner
        return Location(self.where, node[0], node[1])

    def comments(self) -> tuple[Comment, ...]:
        """All comments; only those that speak to a scanner with their text."""
        return self._comments

    def duplicates(self) -> tuple[Duplicate, ...]:
        """The keys that are written twice."""
        return self._duplicates


def written(resource: Resource) -> dict[str, Any]:
    """What a bundle keeps of the object's origin; nothing of an object that has no text."""
    origin = resource.origin
    if origin.locate(()).line == 0:
        return {}
    kept: dict[str, Any] = {"at": _tree(resource, resource.raw, ())}
    wanted = re.compile(_DIRECTIVE)
    comments = [[c.line, c.text if wanted.search(c.text) else ""] for c in origin.comments()]
    if comments:
        kept["comments"] = comments
    duplicates = [
        [list(d.path), d.first.line, d.first.column, d.last.line, d.last.column]
        for d in origin.duplicates()
    ]
    if duplicates:
        kept["duplicates"] = duplicates
    return kept


def origin_of(where: str, line: dict[str, Any]) -> Kept:
    """The origin that a bundle's line tells of. Raises BadInput where it is none."""
    tree = line.get("at")
    if tree is None:
        return Kept(where)
    try:
        _check(tree, 0)
        comments = tuple(Comment(_number(n), str(text)) for n, text in line.get("comments", ()))
        duplicates = tuple(
            Duplicate(_path(path), _location(where, a, b), _location(where, c, d))
            for path, a, b, c, d in line.get("duplicates", ())
        )
    except (TypeError, ValueError):
        raise BadInput("cannot read where an object was written") from None
    return Kept(where, tree, comments, duplicates)


def _child(node: list[Any], part: str | int) -> list[Any] | None:
    children = node[2] if len(node) > 2 else None
    if isinstance(children, dict):
        found = children.get(part)
        return found if isinstance(found, list) else None
    if isinstance(children, list) and isinstance(part, int) and part < len(children):
        found = children[part]
        return found if isinstance(found, list) else None
    return None


def _tree(resource: Resource, value: Any, path: Path) -> list[Any]:
    place = resource.origin.locate(path)
    node: list[Any] = [place.line, place.column]
    if len(path) >= _DEEPEST:
        return node
    if isinstance(value, dict) and value:
        node.append({key: _tree(resource, inner, (*path, key)) for key, inner in value.items()})
    elif isinstance(value, list) and value:
        node.append([_tree(resource, inner, (*path, n)) for n, inner in enumerate(value)])
    return node


def _number(value: Any) -> int:
    """A line or a column."""
    if type(value) is not int or not 0 < value <= _FARTHEST:
        raise ValueError
    return value


def _location(where: str, line: Any, column: Any) -> Location:
    return Location(where, _number(line), _number(column))


def _path(parts: Any) -> Path:
    if not isinstance(parts, list) or not all(type(part) in (str, int) for part in parts):
        raise ValueError
    return tuple(parts)


def _check(node: Any, depth: int) -> None:
    if not isinstance(node, list) or len(node) not in (2, 3) or depth > _DEEPEST:
        raise ValueError
    _number(node[0])
    _number(node[1])
    children = node[2] if len(node) == 3 else ()
    if not isinstance(children, dict | list | tuple):
        raise ValueError
    for child in children.values() if isinstance(children, dict) else children:
        _check(child, depth + 1)
