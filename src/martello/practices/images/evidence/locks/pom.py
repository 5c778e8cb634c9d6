"""pom.xml of Maven: no lock file, but often all that a project has. What it states itself is read;
that parents, imported tables and the needs of dependencies are not is told.

Source: Maven's POM reference.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element

from martello.core.package import Package, Unread
from martello.practices.images.evidence.locks import parse
from martello.practices.images.evidence.model import Body, Parsed, Reader

_PROPERTY: Final = re.compile(r"\$\{([^${}]+)\}")
_DEEPEST: Final = 5  # of properties that name others
_SHOWN: Final = 5


def _read(path: str, body: Body) -> Parsed:
    project = parse.xml(body)
    if _local(project) != "project":
        raise ValueError("no project of Maven")
    properties = _properties(project)
    managed = {
        _name(one, properties): _field(one, "version", properties)
        for one in _dependencies(_child(project, "dependencyManagement"))
    }
    packages: list[Package] = []
    open_: list[str] = []
    for one in _dependencies(project):
        name, scope = _name(one, properties), _field(one, "scope", properties)
        version = _field(one, "version", properties) or managed.get(name, "")
        # A range has no single version; `[1.0]` has.
        version = version.strip("[]") if "," not in version else ""
        if not version or _PROPERTY.search(name + version):
            open_.append(name)
        elif scope != "system":
            packages.append(parse.package("maven", name, version, dev=scope == "test"))
    unread = [*_untold(path, packages, open_)]
    profiles = _child(project, "profiles")
    if any(_dependencies(one) for one in (profiles if profiles is not None else ())):
        why = "the dependencies of its profiles are not read: scan what it builds"
        unread.append(Unread("pom.xml", path, why))
    return Parsed(packages=parse.unique(packages), unread=tuple(unread))


def _untold(path: str, packages: list[Package], open_: list[str]) -> list[Unread]:
    found = []
    if open_:
        more = f" and {len(open_) - _SHOWN} more" if len(open_) > _SHOWN else ""
        names = ", ".join(name[:80] for name in open_[:_SHOWN])
        why = f"a parent or an imported table sets the version of {names}{more}"
        found.append(Unread("pom.xml", path, why))
    if packages:
        why = "what its dependencies need in turn is not listed: scan what it builds"
        found.append(Unread("pom.xml", path, why))
    return found


def _properties(project: Element) -> dict[str, str]:
    parent = _child(project, "parent")
    found: dict[str, str] = {}
    for field in ("groupId", "artifactId", "version"):
        value = _text(_child(project, field)) or _text(_child(parent, field))
        found[f"project.{field}"] = found[f"pom.{field}"] = value
        found[f"project.parent.{field}"] = _text(_child(parent, field))
    table = _child(project, "properties")
    for one in table if table is not None else ():
        found[_local(one)] = _text(one)
    return found


def _dependencies(holder: Element | None) -> list[Element]:
    table = _child(holder, "dependencies")
    return [one for one in table if _local(one) == "dependency"] if table is not None else []


def _name(one: Element, properties: dict[str, str]) -> str:
    return f"{_field(one, 'groupId', properties)}:{_field(one, 'artifactId', properties)}"


def _field(one: Element, field: str, properties: dict[str, str]) -> str:
    value = _text(_child(one, field))
    for _ in range(_DEEPEST):
        if "${" not in value or len(value) > 1000:
            break
        value = _PROPERTY.sub(lambda found: properties.get(found[1]) or found[0], value)
    return value


def _child(one: Element | None, name: str) -> Element | None:
    return next((each for each in one if _local(each) == name), None) if one is not None else None


def _text(one: Element | None) -> str:
    return (one.text or "")[:1000].strip() if one is not None else ""


def _local(one: Element) -> str:
    return one.tag.rpartition("}")[2] if isinstance(one.tag, str) else ""


READERS = (
    Reader(
        name="pom.xml",
        read=_read,
        names=frozenset(("pom.xml",)),
        # inside META-INF it is a part of a built jar, not a project
        accepts=lambda path: "META-INF/" not in path,
    ),
)
