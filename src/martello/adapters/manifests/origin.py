"""Where an object of a file was written: lines and columns, comments, repeated keys."""

from __future__ import annotations

from martello.adapters.manifests.document import Document
from martello.adapters.manifests.places import nearest, position_of, unpack
from martello.core.path import Path
from martello.core.resource import Comment, Duplicate, Location


class FileOrigin:
    """The origin of a document, or of one item of a List in it, to which `prefix` leads."""

    __slots__ = ("document", "prefix")

    def __init__(self, document: Document, prefix: Path = ()) -> None:
        self.document = document
        self.prefix = prefix

    @property
    def where(self) -> str:
        """The file as the user named it."""
        return self.document.file

    def locate(self, path: Path) -> Location:
        """The key of the member, the element of the list, or the nearest ancestor that is there."""
        return self._location(position_of(nearest(self.document.places.root, self._full(path))))

    def mentions(self, *words: bytes) -> bool:
        """Whether one of the words stands in the text: a cheap question before comments."""
        part = self.document.part
        return any(word in part for word in words)

    def comments(self) -> tuple[Comment, ...]:
        """The comments of the document; for an item of a List those from its first line to the
        next item.
        """
        if self.document.json or b"#" not in self.document.part:
            return ()
        from martello.adapters.manifests import comments

        first, last = self._lines()
        found = comments.comments(self.document.part, self.document.line)
        return tuple(c for c in found if first <= c.line < last)

    def duplicates(self) -> tuple[Duplicate, ...]:
        """The keys of the object that are written twice in one mapping."""
        if not (self.document.repeats or self.document.json):
            return ()
        size = len(self.prefix)
        return tuple(
            Duplicate(r.path[size:], self._location(r.first), self._location(r.last))
            for r in self.document.places.repeated
            if r.path[:size] == self.prefix
        )

    def _full(self, path: Path) -> Path:
        return (*self.prefix, *path)

    def _location(self, position: int) -> Location:
        line, column = unpack(position)
        return Location(self.document.file, line, column)

    def _lines(self) -> tuple[int, float]:
        """The first line of the object and the one after its last."""
        if not self.prefix:
            return 0, float("inf")
        root = self.document.places.root
        first, _ = unpack(position_of(nearest(root, self.prefix)))
        *outer, index = self.prefix
        siblings = nearest(root, tuple(outer))
        last = float("inf")
        if isinstance(index, int) and not isinstance(siblings, int):
            members = siblings[1]
            if isinstance(members, list) and index + 1 < len(members):
                last, _ = unpack(position_of(members[index + 1]))
        return first, last
