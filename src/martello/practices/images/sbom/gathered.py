"""What a bill of materials turns out to hold, gathered while it is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from martello.core.errors import BadInput
from martello.core.package import Inventory, Package, System, Unread
from martello.practices.images.ecosystems import ecosystem_of, parse_purl

MOST: Final = 500_000  # components
_SYSTEMS: Final = frozenset(("deb", "apk", "rpm"))
# What tools write beside a component, as properties.
_SOURCE: Final = ("martello:source", "aquasecurity:trivy:SrcName", "syft:metadata:source")
_VERSION: Final = (
    "martello:sourceVersion",
    "aquasecurity:trivy:SrcVersion",
    "syft:metadata:sourceVersion",
)
_RELEASE: Final = "aquasecurity:trivy:SrcRelease"
_EPOCH: Final = "aquasecurity:trivy:SrcEpoch"
_MODULE: Final = ("martello:module", "aquasecurity:trivy:Modularitylabel")
_PATH: Final = ("martello:path", "aquasecurity:trivy:FilePath", "syft:location:0:path")
_OWNER: Final = ("martello:owner",)
_UNNAMED: Final = 100  # of what has no package URL, that many are named
_SOURCELESS: Final = 10  # so many packages of a distribution, none with a source of another name
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Found:
    """What a document turns out to hold, while it is read."""

    def __init__(self) -> None:
        self.system: System | None = None
        self.packages: list[Package] = []
        self.unread: list[Unread] = []
        self.ours = False  # it was written here: distribution packages are those of its system
        self._nameless: list[str] = []
        self._broken = 0

    def add(
        self, url: str, properties: Mapping[str, str], licences: tuple[str, ...], *, dev: bool
    ) -> None:
        """A component with a package URL."""
        package = _package(url, properties, licences, self)
        if package is not None:
            self.packages.append(msgspec.structs.replace(package, dev=dev))
        self.ours = self.ours or "martello:type" in properties

    def nameless(self, name: Any) -> None:
        """A component without a package URL."""
        self._nameless.append((text_of(name) or "without a name")[:120])

    def broken(self, url: str, why: str) -> None:
        """A component whose package URL says too little, or nothing."""
        self._broken += 1
        if self._broken <= _UNNAMED:
            self.unread.append(Unread("component", url[:120], why))

    def told(self, text: str) -> None:
        """What the maker of the document could not read."""
        parts = text[:1000].split("\t")
        what, where, why = parts if len(parts) == 3 else (parts[0], "", "")
        if what:
            self.unread.append(Unread(what, where, why or "its maker could not read it"))

    def incomplete(self) -> None:
        """The document says that there is more than it lists."""
        if not self.unread:
            self.unread.append(Unread("document", "", "it says of itself that it is incomplete"))

    def inventory(self, name: str, digest: str) -> Inventory:
        """Everything together; a distribution's packages belong to the system that is named."""
        unread = [*self.unread, *self._left()]
        packages = [self._settled(package) for package in self.packages]
        packages = list(dict.fromkeys(packages))
        if not packages and not unread:
            unread = [Unread("document", name, "it lists no packages")]
        return Inventory(
            name=name,
            digest=digest,
            system=self.system,
            packages=tuple(packages),
            unread=tuple(dict.fromkeys(unread)),
        )

    def _settled(self, package: Package) -> Package:
        if self.system is None or package.type not in _SYSTEMS:
            return package
        own = ecosystem_of(package.type, self.system)
        if not self.ours:
            own = package.ecosystem or own or _release(package.type, self.system)
        return msgspec.structs.replace(package, ecosystem=own)

    def _left(self) -> Iterator[Unread]:
        names = self._nameless
        for name in names[:_UNNAMED]:
            yield Unread("component", name, "it has no package URL")
        if len(names) > _UNNAMED:
            yield Unread(f"{len(names) - _UNNAMED} components more", "", "they have no package URL")
        if self._broken > _UNNAMED:
            why = "their package URLs cannot be used"
            yield Unread(f"{self._broken - _UNNAMED} components more", "", why)
        binary = [p for p in self.packages if p.type in ("deb", "apk")]
        if len(binary) >= _SOURCELESS and not self.ours and not any(p.source for p in binary):
            why = "the document names no sources, and advisories speak of those"
            yield Unread(f"{len(binary)} packages of the distribution", "", why)


def _release(type: str, system: System) -> str:
    """The ecosystem of a system that other tools spell otherwise than os-release: redhat."""
    distro = quote(f"{system.id}-{system.version}", safe="")
    try:
        return parse_purl(f"pkg:{type}/{quote(system.id, safe='')}/x@1?distro={distro}").ecosystem
    except BadInput:
        return ""


def _package(
    url: str, properties: Mapping[str, str], licences: tuple[str, ...], found: Found
) -> Package | None:
    try:
        package = parse_purl(url)
    except BadInput as error:
        found.broken(url, error.why or error.what)
        return None
    if package.type in ("oci", "docker"):
        return None
    if not package.version and package.type in ("deb", "apk", "rpm"):
        found.broken(url, "it has no version")
        return None
    # one of a language may be a program of one's own: whether that matters, advisories tell

    def first(names: tuple[str, ...]) -> str:
        return next((properties[name] for name in names if properties.get(name)), "")

    version = first(_VERSION)
    if version and properties.get(_RELEASE):
        version += f"-{properties[_RELEASE]}"
    epoch = properties.get(_EPOCH, "")
    if version and epoch not in ("", "0"):
        version = f"{epoch}:{version}"
    return msgspec.structs.replace(
        package,
        source=first(_SOURCE) or package.source,
        source_version=version or package.source_version,
        module=first(_MODULE) or package.module,
        path=first(_PATH).lstrip("/"),
        owner=first(_OWNER),
        licences=licences,
    )


def named(root: Mapping[str, Any], file: str) -> tuple[str, str]:
    """The name and, where it is an image, the digest of what a document is about."""
    name = text_of(root.get("name")) or file
    for text in (text_of(root.get("version")), text_of(root.get("purl")), name):
        found = _DIGEST.search(text.replace("%3A", ":"))
        if found:
            return name, found[0]
    return name, ""


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """The value where it is a text, else an empty one."""
    return value if isinstance(value, str) else ""
