""".NET: packages of an application by its `*.deps.json`, and the shared frameworks of a runtime.

Source: the description of runtime configuration files in dotnet/sdk. Advisories of the runtime
itself name its packs (`Microsoft.NETCore.App.Runtime.linux-x64`), so these are told apart from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from martello.core.package import Package, Unread
from martello.practices.images.evidence.model import Body, Parsed, Reader
from martello.practices.images.evidence.text import decoded, proven

_LARGEST: Final = 32 << 20
_SHARED: Final = re.compile(
    r"(?:\A|/)shared/(?P<name>Microsoft\.[A-Za-z.]+\.App)/(?P<version>\d[^/]*)/(?P=name)\.deps\.json\Z"
)
_ASSETS: Final = ("runtime", "native", "runtimeTargets", "resources")
_PACK: Final = "runtimepack."


class _Library(msgspec.Struct, frozen=True):
    type: str = ""


class _Target(msgspec.Struct, frozen=True):
    name: str = ""


class _Dependencies(msgspec.Struct, frozen=True):
    runtimeTarget: _Target | str = ""
    targets: dict[str, dict[str, dict[str, object]]] = {}
    libraries: dict[str, _Library] = {}

    @property
    def target(self) -> str:
        """Framework and, after a slash, the platform."""
        return (
            self.runtimeTarget if isinstance(self.runtimeTarget, str) else self.runtimeTarget.name
        )


def read_dependencies(path: str, body: Body) -> Parsed:
    """The packages of a *.deps.json that bring files to run; a project's own are none. Raises
    ValueError, TooLarge.
    """
    listed = decoded(body.whole(_LARGEST), _Dependencies)
    packages, nameless = list(_framework(path, listed.target)), 0
    target = listed.targets.get(listed.target, {})
    for key, library in listed.libraries.items():
        name, _, version = key.rpartition("/")
        package = library.type == "package" and not _brings_nothing(target.get(key))
        if not (package or library.type == "runtimepack"):
            continue
        try:
            packages.append(proven("nuget", name.removeprefix(_PACK), version))
        except ValueError:
            nameless += 1
    why = f"{nameless} libraries state no usable name or version"
    unread = (Unread(".NET packages", path, why),) if nameless else ()
    return Parsed(tuple(dict.fromkeys(packages)), unread=unread)


def _framework(path: str, target: str) -> Iterator[Package]:
    found = _SHARED.search(path)
    if found is None:
        return
    yield proven("nuget", found["name"], found["version"])
    platform = target.partition("/")[2]
    if platform:
        yield proven("nuget", f"{found['name']}.Runtime.{platform}", found["version"])


def _brings_nothing(entry: dict[str, object] | None) -> bool:
    """Whether a target lists a library without one file: only a name for others, or one whose
    files the framework has.
    """
    return entry is not None and not any(entry.get(kind) for kind in _ASSETS)


READERS: Final = (Reader(".NET packages", read_dependencies, suffixes=(".deps.json",)),)
