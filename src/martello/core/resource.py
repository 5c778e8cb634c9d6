"""One Kubernetes object: the raw mapping, what it is called, and where each of its nodes was
written.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from martello.core.errors import BadInput
from martello.core.path import Path


class Location(msgspec.Struct, frozen=True):
    """A place a person can open. Lines and columns count from 1; line 0 means that there is no text
    (a live object).
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Duplicate(msgspec.Struct, frozen=True):
    """A key written twice in one mapping: the API server takes the last one."""

    path: Path
    first: Location
    last: Location


class Comment(msgspec.Struct, frozen=True):
    """One comment of the text around an object, without its `#`."""

    line: int
    text: str


class Origin(Protocol):
    """Where an object was read. Adapters implement it; nothing is computed before it is asked."""

    @property
    def where(self) -> str:
        """The file, `<stdin>`, or the cluster the object was read from."""
        ...

    def locate(self, path: Path) -> Location:
        """The place of the node at `path`, or of its nearest existing ancestor."""
        ...

    def comments(self) -> tuple[Comment, ...]:
        """The comments of the object's own document, in order."""
        ...

    def duplicates(self) -> tuple[Duplicate, ...]:
        """The keys of the object that are written twice."""
        ...


class Nowhere:
    """The origin of objects that were made in memory."""

    where = "<memory>"

    def locate(self, path: Path) -> Location:
        """There is no text: file name only."""
        return Location(self.where)

    def comments(self) -> tuple[Comment, ...]:
        """None."""
        return ()

    def duplicates(self) -> tuple[Duplicate, ...]:
        """None."""
        return ()


# Groups that moved: the object is the same, so the index, scopes and checks know one name.
_MOVED: Final = {
    ("extensions", "Deployment"): "apps",
    ("extensions", "DaemonSet"): "apps",
    ("extensions", "ReplicaSet"): "apps",
    ("extensions", "Ingress"): "networking.k8s.io",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
    ("extensions", "PodSecurityPolicy"): "policy",
}


class Ref(msgspec.Struct, frozen=True, order=True):
    """What an object is called: cluster (empty for files), apiVersion, kind, namespace (may be
    empty), name.
    """

    cluster: str
    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def group(self) -> str:
        """The API group, today's where the kind moved (`extensions` Deployments are `apps`); empty
        for core.
        """
        group = self.api_version.rpartition("/")[0]
        return _MOVED.get((group, self.kind), group)

    @property
    def version(self) -> str:
        """The version part of apiVersion."""
        return self.api_version.rpartition("/")[2]

    @property
    def group_kind(self) -> str:
        """kubectl's `Kind.group`, just `Kind` in the core group."""
        group = self.group
        return f"{self.kind}.{group}" if group else self.kind

    @property
    def local(self) -> str:
        """The name within its cluster, the same for files and live objects."""
        name = f"{self.kind}/{self.name}" if self.name else self.kind
        return f"{self.namespace}/{name}" if self.namespace else name

    def __str__(self) -> str:
        return f"{self.cluster}:{self.local}" if self.cluster else self.local


class Resource(msgspec.Struct, frozen=True, eq=False):
    """One object. `raw` is the parsed mapping: shared by all, copied and changed by nobody."""

    raw: dict[str, Any]
    ref: Ref
    origin: Origin

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata mapping, empty where it is absent."""
        metadata = self.raw.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    @property
    def labels(self) -> dict[str, str]:
        """The labels whose values are strings (others the API server refuses)."""
        return strings(self.metadata.get("labels"))

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations whose values are strings."""
        return strings(self.metadata.get("annotations"))

    @property
    def spec(self) -> dict[str, Any]:
        """The spec mapping, empty where it is absent or no mapping."""
        spec = self.raw.get("spec")
        return spec if isinstance(spec, dict) else {}

    def locate(self, path: Path = ()) -> Location:
        """The place of the node at `path`, or of its nearest existing ancestor."""
        return self.origin.locate(path)


def strings(value: Any) -> dict[str, str]:
    """The entries of a mapping that are strings; empty for anything that is no mapping."""
    if not isinstance(value, dict):
        return {}
    return {k: v for k, v in value.items() if isinstance(v, str)}


def resource_of(raw: Any, origin: Origin, cluster: str = "") -> Resource:
    """Makes a Resource of a parsed document. Raises BadInput where it has no usable apiVersion,
    kind or metadata.
    """
    if not isinstance(raw, dict):
        raise BadInput("not a Kubernetes object", f"the document is a {kind_of(raw)}")
    api_version, kind = raw.get("apiVersion"), raw.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str) or not api_version or not kind:
        raise BadInput("not a Kubernetes object", "apiVersion and kind must be strings")
    metadata = raw.get("metadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise BadInput("cannot read metadata", f"metadata is a {kind_of(metadata)}, not a mapping")
    words: list[str] = []
    for key in ("namespace", "name"):
        word = metadata.get(key)
        if word is None:
            word = metadata.get("generateName") if key == "name" else ""
        if word is None:
            word = ""
        if not isinstance(word, str):
            raise BadInput("cannot read metadata", f"metadata.{key} is a {kind_of(word)}")
        words.append(word)
    return Resource(raw, Ref(cluster, api_version, kind, words[0], words[1]), origin)


def kind_of(value: Any) -> str:
    """JSON's word for the kind of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "list"
    return "mapping" if isinstance(value, dict) else type(value).__name__
