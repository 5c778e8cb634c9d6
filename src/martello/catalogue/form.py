"""Reading a form: typed values out of parsed YAML, and a complaint for each that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from martello.catalogue.document import Document
from martello.core.errors import BadInput
from martello.core.path import Path
from martello.core.resource import kind_of
from martello.core.version import minor


class Form:
    """Reads the parts of one document; each complaint names its key."""

    __slots__ = ("document",)

    def __init__(self, document: Document) -> None:
        self.document = document

    def complain(self, path: Path, message: str) -> None:
        """Notes an error at a key."""
        self.document.complain(path, message)

    def known(self, data: Mapping[str, Any], path: Path, keys: frozenset[str]) -> None:
        """Complains about every key that is not one of `keys`."""
        for key in data:
            if key not in keys:
                self.complain((*path, key), f"unknown key; known here: {', '.join(sorted(keys))}")

    def mapping(self, value: Any, path: Path) -> dict[str, Any]:
        """The value as a mapping; empty, with a complaint, where it is none."""
        if isinstance(value, dict):
            return value
        self.complain(path, f"must be a mapping, is a {kind_of(value)}")
        return {}

    def sequence(self, value: Any, path: Path) -> list[Any]:
        """The value as a list; empty, with a complaint, where it is none."""
        if isinstance(value, list):
            return value
        self.complain(path, f"must be a list, is a {kind_of(value)}")
        return []

    def text(self, data: Mapping[str, Any], path: Path, default: str = "") -> str:
        """The text under the last key of the path, or the default."""
        value = data.get(str(path[-1]), default)
        if isinstance(value, str) and (value or default == value):
            return value
        self.complain(path, f"must be text, is a {kind_of(value)}")
        return default

    def word(
        self, data: Mapping[str, Any], path: Path, words: tuple[str, ...], default: str
    ) -> str:
        """One of some words under the last key of the path, or the default."""
        value = data.get(str(path[-1]), default)
        if value in words or (value == default and path[-1] not in data):
            return str(value)
        self.complain(path, f"must be one of {', '.join(words)}")
        return default

    def texts(self, value: Any, path: Path) -> tuple[str, ...]:
        """A list of texts."""
        found = self.sequence(value, path)
        for index, item in enumerate(found):
            if not isinstance(item, str):
                self.complain((*path, index), f"must be text, is a {kind_of(item)} (quote it)")
        return tuple(str(item) for item in found)

    def version(self, data: Mapping[str, Any], path: Path, default: int) -> int:
        """A Kubernetes minor version under the last key of the path, or the default."""
        value = data.get(str(path[-1]))
        if value is None:
            return default
        try:
            return minor(value)
        except (BadInput, TypeError):
            self.complain(path, 'must be a quoted version such as "1.34"')
            return default
