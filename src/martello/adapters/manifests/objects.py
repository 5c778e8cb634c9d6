"""Which documents are Kubernetes objects: Lists taken apart, foreign ones counted."""

from __future__ import annotations

import re
from typing import Any, Final

from martello.adapters.manifests import kustomize
from martello.adapters.manifests.document import Document
from martello.adapters.manifests.origin import FileOrigin
from martello.core.errors import BadInput
from martello.core.finding import Unassessed
from martello.core.path import Path
from martello.core.resource import Resource, kind_of, resource_of

_VERSION: Final = re.compile(r"(?:[^/\s]+/)?v[0-9]+(?:(?:alpha|beta)[0-9]+)?")


class Objects:
    """What documents turned out to be."""

    __slots__ = ("foreign", "partial", "resources", "unassessed")

    def __init__(self) -> None:
        self.resources: list[Resource] = []
        self.unassessed: list[Unassessed] = []
        self.foreign = 0
        self.partial = 0

    def add(self, document: Document) -> None:
        """Sorts one document. A bare list of objects counts as a List."""
        value = document.value
        if isinstance(value, list) and any(_is_object(item) for item in value):
            self._items(value, document, (), {})
        else:
            self._add(value, document, ())

    def _add(self, value: Any, document: Document, path: Path) -> None:
        if not isinstance(value, dict):
            if path:
                self._refuse(
                    f"an item of a List is a {kind_of(value)}, not a mapping", document, path
                )
            else:
                self.foreign += 1
        elif not _is_object(value):
            self._not_an_object(value, document, path)
        elif kustomize.is_partial(value["apiVersion"]):
            self.partial += 1
        elif _is_list(value):
            self._list(value, document, path)
        else:
            try:
                self.resources.append(resource_of(value, FileOrigin(document, path)))
            except BadInput as error:
                self._refuse(f"{error.what}: {error.why}", document, path)

    def _list(self, value: dict[str, Any], document: Document, path: Path) -> None:
        items = value.get("items")
        if items is None:
            return
        if not isinstance(items, list):
            reason = f"the items of a List are a {kind_of(items)}, not a list"
            self._refuse(reason, document, (*path, "items"))
            return
        known = {}
        if value["kind"] != "List":
            known = {"apiVersion": value["apiVersion"], "kind": value["kind"].removesuffix("List")}
        self._items(items, document, (*path, "items"), known)

    def _items(
        self, items: list[Any], document: Document, path: Path, known: dict[str, str]
    ) -> None:
        """Items of a typed list (PodList) leave out what the list's own kind says."""
        for index, item in enumerate(items):
            if known and isinstance(item, dict) and not ("kind" in item and "apiVersion" in item):
                item = {**known, **item}
            self._add(item, document, (*path, index))

    def _not_an_object(self, value: dict[str, Any], document: Document, path: Path) -> None:
        """Foreign, unless it was meant to be an object and something is missing."""
        version, kind = value.get("apiVersion"), value.get("kind")
        has_kind = isinstance(kind, str) and bool(kind)
        has_version = isinstance(version, str) and _VERSION.fullmatch(version) is not None
        if has_version and not has_kind:
            missing, there = "kind", kind
        elif has_kind and isinstance(value.get("metadata"), dict):
            missing, there = "apiVersion", version
        elif path:
            missing, there = ("apiVersion", version) if has_kind else ("kind", kind)
        else:
            self.foreign += 1
            return
        state = "is missing" if there is None else f"is a {kind_of(there)}"
        if there == "":
            state = "is empty"
        self._refuse(f"not a complete Kubernetes object: {missing} {state}", document, path)

    def _refuse(self, reason: str, document: Document, path: Path) -> None:
        self.unassessed.append(Unassessed(reason, FileOrigin(document).locate(path)))


def _is_object(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    version, kind = value.get("apiVersion"), value.get("kind")
    return isinstance(version, str) and isinstance(kind, str) and bool(version) and bool(kind)


def _is_list(value: dict[str, Any]) -> bool:
    """A List, or a typed one (PodList). An object of a kind that just ends so has a name."""
    kind = value["kind"]
    if kind == "List":
        return True
    if not kind.endswith("List") or not isinstance(value.get("items"), list):
        return False
    metadata = value.get("metadata")
    return not (isinstance(metadata, dict) and metadata.get("name"))
