"""Package.resolved of Swift's package manager, and Podfile.lock of CocoaPods.

Sources: Swift Package Manager's PinsStore (versions 1 to 3), CocoaPods' guides.
"""

from __future__ import annotations

import re
from typing import Final

from martello.core.package import Package
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader

_POD: Final = re.compile(r"([^\s()]+)(?: \((?:= )?([^()]+)\))?\Z")
_SCHEME: Final = re.compile(r"\A(?:[a-z+]+://(?:[^@/]*@)?|git@)", re.IGNORECASE)


def _resolved(path: str, body: Body) -> Parsed:
    document = parse.json(body)
    release = document.get("version")
    if release not in (1, 2, 3):
        raise ValueError("a version of the lock file that is not known; 1 to 3 are read")
    holder = parse.table(document.get("object")) if release == 1 else document
    packages: list[Package] = []
    for pin in parse.rows(holder.get("pins")):
        place = parse.word(pin.get("location") or pin.get("repositoryURL"))
        state = parse.table(pin.get("state"))
        # A pin to a branch or a commit has no version; its name stands for what it is.
        version = parse.word(state.get("version")) or parse.word(state.get("branch"))
        version = version or parse.word(state.get("revision"))
        if pin.get("kind") in ("localSourceControl", "fileSystem") or not version:
            continue
        name = _address(place) if place else parse.word(pin.get("identity"))
        packages.append(parse.package("swift", name, version))
    return Parsed(packages=parse.unique(packages))


def _address(place: str) -> str:
    """The repository as packages are named: host and path, without `.git`."""
    bare = _SCHEME.sub("", place)
    if place.startswith("git@"):
        bare = bare.replace(":", "/", 1)
    return bare.rstrip("/").removesuffix(".git")


def _podfile(path: str, body: Body) -> Parsed:
    document = parse.yaml(body)
    pods = document.get("PODS")
    if not isinstance(pods, list):
        raise ValueError("no list of PODS")
    external = parse.table(document.get("EXTERNAL SOURCES"))
    packages: list[Package] = []
    for pod in pods:
        head = next(iter(pod), "") if isinstance(pod, dict) else pod
        parts = _POD.match(parse.word(head))
        if parts is None or not parts[2]:
            raise ValueError(f"no name (version): {str(head)[:60]}")
        # A subspec (`A/B`) is a part of its pod, with the same version.
        name = parts[1].partition("/")[0]
        if ":path" not in parse.table(external.get(name)):
            packages.append(parse.package("cocoapods", name, parts[2]))
    return Parsed(packages=parse.unique(packages))


READERS = (
    Reader(name="swift", read=_resolved, names=frozenset(("Package.resolved",))),
    Reader(
        name="cocoapods",
        read=_podfile,
        names=frozenset(("Podfile.lock",)),
    ),
)
