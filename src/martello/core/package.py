"""What an image holds: its system, its packages, the evidence of each, and what was not read."""

from __future__ import annotations

import msgspec

from martello.core.artifact import Platform


class Unread(msgspec.Struct, frozen=True):
    """A part of an image that got no verdict: what (a layer, a file, an ecosystem), where, why."""

    what: str
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} {self.where}: {self.why}" if self.where else f"{self.what}: {self.why}"


class System(msgspec.Struct, frozen=True):
    """The distribution, as os-release says: `debian`, `12`, `bookworm`."""

    id: str
    version: str = ""
    codename: str = ""
    name: str = ""  # PRETTY_NAME
    like: tuple[str, ...] = ()
    cpe: str = ""
    content_sets: tuple[str, ...] = ()  # Red Hat's repositories, of its buildinfo


class Package(msgspec.Struct, frozen=True):
    """One installed or locked package, with the file and the layer that prove it."""

    type: str  # of its package URL: deb, apk, rpm, pypi, npm, golang, cargo, maven, gem, …
    name: str  # with the namespace where the ecosystem writes it so: group:artifact, @scope/name
    version: str  # as the ecosystem writes it: rpm epoch:version-release, without epoch 0
    ecosystem: str = ""  # as OSV names it, with the release: Debian:12, PyPI; empty: not known
    source: str = ""  # name of the source or origin package, where there is one
    source_version: str = ""
    arch: str = ""
    module: str = ""  # rpm module:stream
    licences: tuple[str, ...] = ()
    path: str = ""  # the evidence, from the root of the image, without a leading slash
    layer: int = -1  # index of the layer that brought it; -1: no layers
    owner: str = ""  # the distribution's package that owns the evidence file
    dev: bool = False  # a development dependency of a lock file


class Leak(msgspec.Struct, frozen=True):
    """A secret in a layer or in the configuration. The value itself is never kept."""

    rule: str
    title: str
    severity: str
    path: str
    line: int = 0
    layer: int = -1
    shown: str = ""  # the line with the secret blacked out
    removed: bool = False  # a later layer hides the file, and the layer still holds it


class LayerOrigin(msgspec.Struct, frozen=True):
    """One layer of an image, and the step that made it."""

    blob: str  # digest of the compressed bytes
    diff_id: str
    media: str
    size: int
    created_by: str = ""
    created: str = ""


class Inventory(msgspec.Struct, frozen=True):
    """All that is known of one image (or file tree, or SBOM) without any advisory."""

    name: str  # as a person would name it
    digest: str = ""  # of its manifest; empty where there is none
    index: str = ""  # digest of the index that lists it
    config: str = ""  # digest of its configuration, which runtimes call the image ID
    platform: Platform | None = None
    system: System | None = None
    packages: tuple[Package, ...] = ()
    layers: tuple[LayerOrigin, ...] = ()
    leaks: tuple[Leak, ...] = ()
    unread: tuple[Unread, ...] = ()
    user: str = ""  # of the configuration; empty: root
    created: str = ""  # RFC 3339
    files: int = 0  # entries of all layers
    labels: tuple[tuple[str, str], ...] = ()
    projects: tuple[Package, ...] = ()  # what lock files belong to, for VEX
    bytes_read: int = 0  # of blobs, in this run: 0 where all facts were kept


def titled(inventory: Inventory) -> str:
    """An image by its name, with its platform where an index lists several."""
    if inventory.index and inventory.platform is not None and str(inventory.platform):
        return f"{inventory.name} ({inventory.platform})"
    return inventory.name
