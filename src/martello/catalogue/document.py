"""YAML of Martello's own files (checks, frameworks), read strictly, with the line of every key."""

from __future__ import annotations

import re
from typing import Any, Final

from martello.core.errors import BadInput
from martello.core.path import Path, show

_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"[-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_MAX_BYTES: Final = 1 << 20
_MAX_NODES: Final = 50_000
_MAX_DEPTH: Final = 40


class Document:
    """One parsed file: plain data, and where each of its nodes begins (line from 1)."""

    __slots__ = ("data", "file", "lines", "problems")

    def __init__(self, data: Any, file: str, lines: dict[Path, int], problems: list[str]) -> None:
        self.data = data
        self.file = file
        self.lines = lines
        self.problems = problems

    def complain(self, path: Path, message: str) -> None:
        """Notes an error at the node of `path`, or at its nearest existing ancestor."""
        place = path
        while place and place not in self.lines:
            place = place[:-1]
        line = self.lines.get(place, 1)
        key = f"{show(path)}: " if path else ""
        self.problems.append(f"{self.file}:{line}: {key}{message}")

    def finish(self) -> None:
        """Raises one BadInput that holds every error noted, if there is one."""
        if self.problems:
            raise BadInput(
                f"cannot use {self.file}",
                "\n        ".join(self.problems),
                "correct the keys named above",
            )


def read_document(text: str, file: str) -> Document:
    """Parses one YAML document with YAML 1.2's core scalars: `on` and `yes` are words.

    Raises BadInput for broken YAML, several documents, or a text too large.
    """
    import yaml

    if len(text) > _MAX_BYTES:
        raise BadInput(f"cannot use {file}", f"it is larger than {_MAX_BYTES >> 20} MiB")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark is not None else file
        problem = getattr(error, "problem", None) or type(error).__name__
        raise BadInput(f"cannot use {file}", f"{where}: {problem}", "correct the YAML") from None
    document = Document(None, file, {}, [])
    if node is not None:
        document.data = _Builder(document).build(node, (), 0)
    return document


class _Builder:
    """Turns composed nodes into plain data and notes their lines."""

    __slots__ = ("document", "left")

    def __init__(self, document: Document) -> None:
        self.document = document
        self.left = _MAX_NODES

    def build(self, node: Any, path: Path, depth: int) -> Any:
        """The plain value of a node."""
        self.left -= 1
        if self.left < 0 or depth > _MAX_DEPTH:
            raise BadInput(f"cannot use {self.document.file}", "it is nested or repeated too often")
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        if node.id == "mapping":
            return self._mapping(node, path, depth)
        if node.id == "sequence":
            return [self.build(n, (*path, i), depth + 1) for i, n in enumerate(node.value)]
        return _scalar(node.value) if not node.style else node.value

    def _mapping(self, node: Any, path: Path, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                self.document.complain(path, "a key must be plain text")
                continue
            key = key_node.value
            place = (*path, key)
            self.document.lines.setdefault(place, key_node.start_mark.line + 1)
            if key in result:
                self.document.complain(place, "written twice")
            result[key] = self.build(value_node, place, depth + 1)
        return result


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) < 20:
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text
