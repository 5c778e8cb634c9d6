"""A text taken apart into documents; a broken one costs itself alone."""

from __future__ import annotations

from typing import Any, Final

from martello.adapters.manifests import json_values, yaml_values
from martello.adapters.manifests.document import Document, Parsed
from martello.adapters.manifests.limits import DEFAULT, Limits, Unreadable
from martello.adapters.manifests.split import chunks
from martello.core.finding import Unassessed
from martello.core.resource import Location

TEMPLATE: Final = "; it contains {{ }}: render the template, then scan what comes out"
_LISTED: Final = 100  # broken documents of one file that are listed one by one


def parse_documents(text: bytes, name: str, limits: Limits = DEFAULT) -> Parsed:
    """Reads YAML or JSON text (UTF-8 without BOM) as the API server does. Never raises: what cannot
    be read is listed with its line. Empty documents are left out.
    """
    parse = _Parse(text, name, limits)
    if not (json_values.looks_like_json(text) and parse.json()):
        parse.yaml()
    return parse.result()


class _Parse:
    """The documents and failures of one text so far."""

    def __init__(self, text: bytes, name: str, limits: Limits) -> None:
        self.text = text
        self.name = name
        self.limits = limits
        self.found: list[Document] = []
        self.broken: list[Unassessed] = []
        self.unlisted = 0  # broken documents beyond those listed
        self.line = 1
        self.counted = 0  # bytes before which the lines are counted

    def json(self) -> bool:
        """Reads JSON. False where the text is none, but flow YAML perhaps."""
        try:
            value = json_values.whole(self.text, self.limits)
        except Unreadable as error:
            self.fail(error.reason, Location(self.name, 1, 1))
            return True
        except ValueError:
            return b"\n---" not in self.text and self.json_stream()
        self.add(value, (0, len(self.text)), json=True)
        return True

    def json_stream(self) -> bool:
        """Reads values that follow each other. False where not even the first one is JSON."""
        for start, end in json_values.extents(self.text):
            line = self.line_of(start)
            try:
                value = json_values.whole(self.text[start:end], self.limits)
                self.add(value, (start, end), json=True)
            except Unreadable as error:
                self.fail(error.reason, Location(self.name, line, 1))
            except ValueError as error:
                if not self.found:
                    return False
                reason = str(error).partition(":")[0]
                self.fail(f"not valid JSON: {reason}", Location(self.name, line, 1))
        return True

    def yaml(self) -> None:
        """Reads YAML, one part between `---` lines after the other."""
        nodes = 0
        for start, end in chunks(self.text):
            line = self.line_of(start)
            part = self.text[start:end]
            nodes += 1
            try:
                for index, built in enumerate(yaml_values.documents(part, self.limits)):
                    nodes += built.nodes
                    if built.value is not None:
                        self.add(built.value, (start, end), index=index, built=built)
            except Unreadable as error:
                where = Location(self.name, line + max(error.line - 1, 0), max(error.column, 1))
                self.fail(error.reason + (TEMPLATE if b"{{" in part else ""), where)
            if nodes > self.limits.nodes:
                reason = f"the rest of the file: it has more than {self.limits.nodes} nodes"
                self.fail(reason, Location(self.name, self.line_of(end)))
                return

    def line_of(self, position: int) -> int:
        """The line of a position that is not before the last one asked for."""
        self.line += self.text.count(b"\n", self.counted, position)
        self.counted = position
        return self.line

    def add(
        self,
        value: Any,
        extent: tuple[int, int],
        *,
        index: int = 0,
        json: bool = False,
        built: yaml_values.Built | None = None,
    ) -> None:
        """Keeps one document; its part begins on the current line."""
        self.found.append(
            Document(
                value,
                self.name,
                self.text,
                extent,
                line=self.line,
                index=index,
                json=json,
                repeats=built is not None and built.repeats,
                marks=built.marks if built is not None else None,
            )
        )

    def fail(self, reason: str, where: Location) -> None:
        """Lists a document that cannot be read, or counts it where so many are listed already."""
        if len(self.broken) < _LISTED:
            self.broken.append(Unassessed(reason, where))
        else:
            self.unlisted += 1

    def result(self) -> Parsed:
        """Everything so far."""
        if self.unlisted:
            reason = f"{self.unlisted} more documents of this file cannot be read"
            self.broken.append(Unassessed(reason, Location(self.name)))
        return Parsed(tuple(self.found), tuple(self.broken))
