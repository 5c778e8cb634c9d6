"""NuGet: packages.lock.json, packages.config, project.assets.json, central package versions.

Source: NuGet's documentation of each file.
"""

from __future__ import annotations

import re
from typing import Final

from martello.core.package import Package
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader

# An exact version, or the exact range [1.2.3]: what floats or has bounds is not pinned.
_EXACT: Final = re.compile(
    r"\s*\[?\s*(\d+(?:\.\d+){0,3}(?:-[0-9A-Za-z.-]+)?(?:\+[\w.-]+)?)\s*\]?\s*\Z"
)


def _lock(path: str, body: Body) -> Parsed:
    document = parse.json(body)
    if document.get("version") not in (1, 2):
        raise ValueError("a version of the lock file that is not known; 1 and 2 are read")
    return Parsed(
        packages=parse.unique(
            parse.package("nuget", name, parse.word(entry["resolved"]))
            for framework in parse.table(document.get("dependencies")).values()
            for name, entry in parse.table(framework).items()
            # A project of the same solution has no resolved version.
            if isinstance(entry, dict) and entry.get("type") != "Project" and entry.get("resolved")
        )
    )


def _config(path: str, body: Body) -> Parsed:
    packages = []
    for element in parse.xml(body).iter():
        if _local(element.tag) != "package":
            continue
        values = {name.lower(): value for name, value in element.attrib.items()}
        if values.get("id") and values.get("version"):
            dev = values.get("developmentdependency", "").lower() == "true"
            packages.append(parse.package("nuget", values["id"], values["version"], dev=dev))
    return Parsed(packages=parse.unique(packages))


def _assets(path: str, body: Body) -> Parsed:
    libraries = parse.table(parse.json(body).get("libraries"))
    packages = []
    for key, entry in libraries.items():
        name, slash, version = key.partition("/")
        if slash and parse.table(entry).get("type") == "package":
            packages.append(parse.package("nuget", name, version))
    return Parsed(packages=parse.unique(packages))


def _central(path: str, body: Body) -> Parsed:
    packages: list[Package] = []
    for element in parse.xml(body).iter():
        if _local(element.tag) not in (
            "PackageVersion",
            "PackageReference",
            "GlobalPackageReference",
        ):
            continue
        values = {name.lower(): value for name, value in element.attrib.items()}
        name = values.get("include") or values.get("update") or ""
        inner = (child.text or "" for child in element if _local(child.tag) == "Version")
        version = _EXACT.match(values.get("version") or next(inner, ""))
        if name and "$(" not in name:
            packages.append(parse.package("nuget", name.strip(), version[1] if version else ""))
    pinned = {one.name for one in packages if one.version}
    return Parsed(
        packages=parse.unique(one for one in packages if one.version or one.name not in pinned)
    )


def _local(tag: object) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _props(path: str) -> bool:
    return path.rpartition("/")[2].lower() in ("directory.packages.props", "packages.props")


READERS = (
    Reader(name="nuget", read=_lock, names=frozenset(("packages.lock.json",))),
    Reader(name="packages.config", read=_config, names=frozenset(("packages.config",))),
    Reader(name="project.assets.json", read=_assets, names=frozenset(("project.assets.json",))),
    Reader(name="packages.props", read=_central, suffixes=(".props",), accepts=_props),
)
