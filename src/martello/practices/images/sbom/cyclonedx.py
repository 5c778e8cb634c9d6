"""Writes CycloneDX 1.6: the packages of an image, and its vulnerabilities where they are known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from martello.core.image import parse_image
from martello.core.package import Inventory, Package, System
from martello.core.vulnerability import Match, Ruled
from martello.practices.images.ecosystems import purl

VERSION: Final = "1.6"
PROPERTY: Final = "martello:"
ROOT: Final = "root:"  # before the name of what the document is about, which may be anything
UNREAD: Final = f"{PROPERTY}unread"
_ANALYSIS: Final = {"disputed": "in_triage", "under-investigation": "in_triage"}
# What a package URL does not say of a package, in the order of _component.
_KEPT: Final = (
    "martello:type",
    "martello:ecosystem",
    "martello:source",
    "martello:sourceVersion",
    "martello:arch",
    "martello:module",
    "martello:owner",
    "martello:path",
    "martello:layer",
)
# Names of targets that would pass for references: `oci:build` is a directory here.
_FORMS: Final = (
    "oci:",
    "oci-archive:",
    "docker-archive:",
    "archive:",
    "rootfs:",
    "dir:",
    "sbom:",
)


def cyclonedx(
    inventory: Inventory, ruled: Sequence[Ruled] = (), *, at: str, version: str
) -> dict[str, Any]:
    """The document as plain data. The serial number follows from the content: the same image at
    the same time gives the same bytes.
    """
    urls = [purl(package, inventory.system) for package in inventory.packages]
    refs = _refs(urls)
    components = [
        _component(package, refs[number], urls[number])
        for number, package in enumerate(inventory.packages)
    ]
    if inventory.system is not None:
        components.append(_system(inventory.system))
    root = _root(inventory)
    serial = identity(inventory, refs, at)
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": VERSION,
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": at,
            "tools": {
                "components": [
                    {"type": "application", "name": "martello", "version": version},
                ]
            },
            "component": root,
        },
        "components": components,
        "dependencies": [
            {"ref": root["bom-ref"], "dependsOn": sorted(c["bom-ref"] for c in components)}
        ],
    }
    if inventory.unread:
        document["compositions"] = [
            {"aggregate": "incomplete", "assemblies": [root["bom-ref"]]},
        ]
    if ruled:
        by_package: dict[Package, str] = {}
        for number, package in enumerate(inventory.packages):
            by_package.setdefault(package, refs[number])
        document["vulnerabilities"] = _vulnerabilities(ruled, by_package)
    return document


def identity(inventory: Inventory, refs: Sequence[str], at: str) -> str:
    """A UUID that names what a document says: the image, its packages, the time."""
    digest = hashlib.sha256("\n".join(refs).encode("utf-8", "replace")).hexdigest()
    said = "\0".join((inventory.name, inventory.digest, digest, at))
    return str(uuid5(NAMESPACE_URL, f"martello:{said}".encode("utf-8", "replace").decode()))


def _refs(urls: Sequence[str]) -> list[str]:
    """A reference for each package: its URL, with a number where that is not unique."""
    seen: dict[str, int] = {}
    refs: list[str] = []
    for url in urls:
        count = seen[url] = seen.get(url, 0) + 1
        refs.append(url if count == 1 else f"{url}#{count}")
    return refs


def _root(inventory: Inventory) -> dict[str, Any]:
    root: dict[str, Any] = {
        "type": "container" if inventory.digest else "application",
        "bom-ref": ROOT + (inventory.digest or inventory.name),
        "name": inventory.name,
    }
    if inventory.digest:
        root["version"] = inventory.digest
        url = oci_purl(inventory)
        if url:
            root["purl"] = url
    known = (
        ("DiffID", [layer.diff_id for layer in inventory.layers]),
        ("ImageID", [inventory.config]),
        ("IndexDigest", [inventory.index]),
        ("unread", ["\t".join((one.what, one.where, one.why)) for one in inventory.unread]),
    )
    properties = [
        {"name": f"{PROPERTY}{name}", "value": value}
        for name, values in known
        for value in values
        if value
    ]
    if properties:
        root["properties"] = properties
    return root


def oci_purl(inventory: Inventory) -> str:
    """`pkg:oci/…` of an image with a digest; empty where its name is no reference."""
    reference = parse_image(inventory.name.partition("@")[0])
    if reference is None or not inventory.digest or inventory.name.startswith(_FORMS):
        return ""
    name = reference.repository.rpartition("/")[2]
    url = f"pkg:oci/{name}@{quote(inventory.digest, safe='')}"
    arch = f"arch={inventory.platform.architecture}&" if inventory.platform else ""
    tag = f"&tag={quote(reference.tag, safe='')}" if reference.tag else ""
    return f"{url}?{arch}repository_url={quote(reference.name, safe='')}{tag}"


def _component(package: Package, ref: str, url: str) -> dict[str, Any]:
    component: dict[str, Any] = {"type": "library", "bom-ref": ref}
    group, name = _split(package)
    if group:
        component["group"] = group
    component["name"] = name
    component["version"] = package.version
    if package.licences:
        component["licenses"] = list(_licences(package.licences))
    component["purl"] = url
    if package.dev:
        component["scope"] = "excluded"
    values = (
        package.type,
        package.ecosystem,
        package.source,
        package.source_version,
        package.arch,
        package.module,
        package.owner,
        package.path,
        str(package.layer) if package.layer >= 0 else "",
    )
    component["properties"] = [
        {"name": name, "value": value} for name, value in zip(_KEPT, values, strict=True) if value
    ]
    if package.path:
        component["evidence"] = {"occurrences": [{"location": package.path}]}
    return component


def _split(package: Package) -> tuple[str, str]:
    if package.type == "maven":
        group, _, name = package.name.rpartition(":")
        return group, name
    if package.type in ("npm", "composer", "golang") and "/" in package.name:
        group, _, name = package.name.rpartition("/")
        return group, name
    return "", package.name


@lru_cache(maxsize=4096)
def _licences(texts: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    """Licences by their SPDX identifiers, or by name; an expression stands for all of them alone,
    as the schema wants it.
    """
    entries = tuple(_licence(text) for text in texts)
    if all("license" in entry for entry in entries):
        return entries
    from martello.practices.images.licences import is_spdx

    if all(is_spdx(text) for text in texts):
        joined = " AND ".join(f"({t})" if len(texts) > 1 and " OR " in t else t for t in texts)
        return ({"expression": joined},)
    return tuple({"license": {"name": text}} for text in texts)


def _licence(text: str) -> dict[str, Any]:
    from martello.practices.images.licences import is_spdx
    from martello.practices.images.licences.names import spdx as listed

    if listed()[0].get(text.lower()) == text:
        return {"license": {"id": text}}
    return {"expression": text} if is_spdx(text) else {"license": {"name": text}}


def _system(system: System) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "operating-system",
        "bom-ref": f"os:{system.id}@{system.version}",
        "name": system.id,
        "version": system.version,
    }
    if system.name:
        found["description"] = system.name
    known = (("codename", system.codename), ("like", " ".join(system.like)), ("cpe", system.cpe))
    properties = [{"name": f"{PROPERTY}{k}", "value": v} for k, v in known if v]
    if properties:
        found["properties"] = properties
    return found


def _vulnerabilities(ruled: Sequence[Ruled], refs: dict[Package, str]) -> list[dict[str, Any]]:
    """One entry for each vulnerability and verdict, with every package it affects."""
    grouped: dict[tuple[str, bool], list[Ruled]] = {}
    for one in ruled:
        grouped.setdefault((one.match.id, one.waived is not None), []).append(one)
    return [_vulnerability(members, refs) for _, members in sorted(grouped.items())]


def _vulnerability(members: list[Ruled], refs: dict[Package, str]) -> dict[str, Any]:
    match = members[0].match
    levels = {"negligible": "info"}
    rating: dict[str, Any] = {"severity": levels.get(match.severity, match.severity)}
    if match.severity_from:
        rating["source"] = {"name": match.severity_from}
    found: dict[str, Any] = {
        "id": match.id,
        "source": {"name": match.advisory.feed or "martello"},
        "references": [
            {"id": alias, "source": {"name": alias.partition("-")[0]}} for alias in match.aliases
        ],
        "ratings": [rating],
        "description": match.title,
        "recommendation": _advice(match),
        "affects": [
            {
                "ref": refs.get(one.match.package, one.match.package.name),
                "versions": [{"version": one.match.package.version, "status": "affected"}],
            }
            for one in members
        ],
    }
    waived = members[0].waived
    if waived is not None:
        found["analysis"] = {
            "state": "exploitable",
            "response": ["will_not_fix"],
            "detail": f"accepted by {waived.by}: {waived.reason}",
        }
    elif match.status in _ANALYSIS:
        found["analysis"] = {"state": _ANALYSIS[match.status]}
    return {key: value for key, value in found.items() if value not in ("", [])}


def _advice(match: Match) -> str:
    return f"Update {match.package.name} to {match.fixed}." if match.fixed else ""
