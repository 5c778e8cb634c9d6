"""One document of a file: its value, and the text that it came from for whoever asks where."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from martello.adapters.manifests import json_values, yaml_values
from martello.adapters.manifests.limits import DEFAULT, Limits, Unreadable
from martello.adapters.manifests.places import Places, pack
from martello.adapters.manifests.split import chunks
from martello.core.finding import Unassessed
from martello.core.resource import Location

TEMPLATE: Final = "; it contains {{ }}: render the template, then scan what comes out"


class Document:
    """A parsed document. It shares the bytes of its file; positions are computed on demand."""

    __slots__ = (
        "_places",
        "end",
        "file",
        "index",
        "json",
        "line",
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
    ) -> None:
        self.value = value
        self.file = file
        self.text = text
        self.start, self.end = extent
        self.line = line  # the line on which the part begins, counted from 1
        self.index = index  # which document of its part it is
        self.json = json
        self.repeats = repeats  # whether a key may be written twice
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
        return self._places

    def _find(self) -> Places | None:
        if self.json:
            from martello.adapters.manifests import json_places

            return json_places.places(self.part.decode(), self.line)
        from martello.adapters.manifests import yaml_places

        return yaml_places.places(self.part, self.index, self.line)


class Parsed(msgspec.Struct, frozen=True, eq=False):
    """What a text holds: documents with content, and the parts that could not be read."""

    documents: tuple[Document, ...]
    broken: tuple[Unassessed, ...] = ()


def parse_documents(text: bytes, name: str, limits: Limits = DEFAULT) -> Parsed:
    """Reads YAML or JSON text (UTF-8 without BOM) as the API server does. Never raises: what is
    broken costs itself alone and is listed with its line.
    """
    found: list[Document] = []
    broken: list[Unassessed] = []
    if not (json_values.looks_like_json(text) and _json(text, name, limits, found, broken)):
        _yaml(text, name, limits, found, broken)
    return Parsed(tuple(found), tuple(broken))


def _json(
    text: bytes, name: str, limits: Limits, found: list[Document], broken: list[Unassessed]
) -> bool:
    """Reads the text as JSON. False where it does not begin so: flow YAML, perhaps."""
    try:
        value = json_values.whole(text, limits)
        found.append(Document(value, name, text, (0, len(text)), line=1, json=True))
        return True
    except Unreadable as error:
        broken.append(Unassessed(error.reason, Location(name)))
        return True
    except ValueError:
        pass
    if b"\n---" in text:
        return False
    line, counted = 1, 0
    try:
        for value, start, end in json_values.stream(text, limits):
            line, counted = line + text.count(b"\n", counted, start), start
            found.append(Document(value, name, text, (start, end), line=line, json=True))
    except Unreadable as error:
        if not found:
            return False
        broken.append(Unassessed(error.reason, Location(name, error.line)))
    return True


def _yaml(
    text: bytes, name: str, limits: Limits, found: list[Document], broken: list[Unassessed]
) -> None:
    line, counted, nodes = 1, 0, 0
    for start, end in chunks(text):
        line, counted = line + text.count(b"\n", counted, start), start
        try:
            for index, built in enumerate(yaml_values.documents(text[start:end], limits)):
                nodes += built.nodes
                if nodes > limits.nodes:
                    raise Unreadable(f"the file has more than {limits.nodes} nodes")
                if built.value is not None:
                    found.append(
                        Document(
                            built.value,
                            name,
                            text,
                            (start, end),
                            line=line,
                            index=index,
                            repeats=built.repeats,
                        )
                    )
        except Unreadable as error:
            where = Location(name, line + max(error.line - 1, 0), error.column)
            hint = TEMPLATE if b"{{" in text[start:end] else ""
            broken.append(Unassessed(error.reason + hint, where))
            if nodes > limits.nodes:
                return
