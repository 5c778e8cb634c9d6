"""Names of one vulnerability belong together (M4): groups of ids, within bounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

LARGEST_GROUP: Final = 32  # names; what would grow beyond is a mistake of some record


class Groups:
    """Grows groups of names; two groups that would become too large together stay apart."""

    def __init__(self, largest: int = LARGEST_GROUP) -> None:
        self._parent: dict[str, str] = {}
        self._size: dict[str, int] = {}
        self._largest = largest
        self.refused = 0

    def join(self, id: str, aliases: Iterable[str]) -> None:
        """Says that all of these name one vulnerability."""
        others = sorted(set(aliases) - {id})
        if len(others) >= self._largest:
            self.refused += 1
            return
        for other in others:
            self._union(id, other)

    def root(self, id: str) -> str:
        """A name that all of a group share; the name itself where it is alone."""
        path = []
        while (parent := self._parent.get(id, id)) != id:
            path.append(id)
            id = parent
        for passed in path:
            self._parent[passed] = id
        return id

    def groups(self) -> list[tuple[str, ...]]:
        """All groups of two and more, each sorted, sorted."""
        found: dict[str, list[str]] = {}
        for id in self._parent:
            found.setdefault(self.root(id), []).append(id)
        return sorted(tuple(sorted(ids)) for ids in found.values() if len(ids) > 1)

    def _union(self, one: str, other: str) -> None:
        for id in (one, other):
            self._parent.setdefault(id, id)
        first, second = sorted((self.root(one), self.root(other)))
        if first == second:
            return
        size = self._size.get(first, 1) + self._size.get(second, 1)
        if size > self._largest:
            self.refused += 1
            return
        self._parent[second] = first
        self._size[first] = size
