"""One document of a file: its value, and the text that it came from for whoever asks where."""

from __future__ import annotations

from typing import Any

import msgspec

from martello.adapters.manifests.places import Places, marked, pack
from martello.core.finding import Unassessed


class Document:
    """A parsed document. It shares the bytes of its file; positions are computed on demand."""

    __slots__ = (
        "_places",
        "end",
        "file",
        "index",
        "json",
        "line",
        "marks",
        "repeats",
        "start",
        "text",
        "value",
    )

    def __init__(
        self,
        value: Any,
        file: str,
        text: bytes,
        extent: tuple[int, int],
        *,
        line: int,
        index: int = 0,
        json: bool = False,
        repeats: bool = False,
        marks: list[Any] | None = None,
    ) -> None:
        self.value = value
        self.file = file
        self.text = text
        self.start, self.end = extent
        self.line = line  # the line on which the part begins, counted from 1
        self.index = index  # which document of its part it is
        self.json = json
        self.repeats = repeats  # whether a key may be written twice
        self.marks = marks  # where each node begins, where the reader kept it
        self._places: Places | None = None

    @property
    def part(self) -> bytes:
        """The text between the `---` lines around the document."""
        return self.text[self.start : self.end]

    @property
    def places(self) -> Places:
        """The position of every node."""
        if self._places is None:
            self._places = self._find() or Places(pack(self.line, 1))
            self.marks = None
        return self._places

    def _find(self) -> Places | None:
        if self.json:
            from martello.adapters.manifests import json_places

            return json_places.places(self.part.decode(), self.line)
        if self.marks is not None:
            return marked(self.value, self.marks, self.line)
        from martello.adapters.manifests import yaml_places

        return yaml_places.places(self.part, self.index, self.line)


class Parsed(msgspec.Struct, frozen=True, eq=False):
    """What a text holds: documents with content, and the parts that could not be read."""

    documents: tuple[Document, ...]
    broken: tuple[Unassessed, ...] = ()
