"""Writes SPDX 2.3 as JSON."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from martello.core.package import Inventory, Package
from martello.practices.images.ecosystems import purl
from martello.practices.images.sbom.cyclonedx import oci_purl

VERSION: Final = "SPDX-2.3"
_NONE: Final = "NOASSERTION"


def spdx(inventory: Inventory, *, at: str, version: str) -> dict[str, Any]:
    """The document as plain data. Its namespace follows from the content."""
    others: dict[str, str] = {}  # licence text → LicenseRef-…
    packages = [_package(p, n, inventory, others) for n, p in enumerate(inventory.packages)]
    root = _root(inventory)
    every = [root, *packages]
    document: dict[str, Any] = {
        "spdxVersion": VERSION,
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": inventory.name,
        "documentNamespace": f"https://martello.dev/spdx/{_identity(inventory, at)}",
        "creationInfo": {"created": _seconds(at), "creators": [f"Tool: martello-{version}"]},
        "documentDescribes": [root["SPDXID"]],
        "packages": every,
        "relationships": [
            _related("SPDXRef-DOCUMENT", "DESCRIBES", root["SPDXID"]),
            *(_related(root["SPDXID"], "CONTAINS", p["SPDXID"]) for p in packages),
        ],
    }
    if others:
        document["hasExtractedLicensingInfos"] = [
            {"licenseId": id, "extractedText": text, "name": text} for text, id in others.items()
        ]
    return document


def _identity(inventory: Inventory, at: str) -> str:
    known = inventory.digest or str(len(inventory.packages))
    return str(uuid5(NAMESPACE_URL, f"martello:{inventory.name}\0{known}\0{at}"))


def _seconds(at: str) -> str:
    """SPDX takes no fractions of seconds, and UTC only as Z."""
    return re.sub(r"(\.\d+)?(Z|\+00:00)?$", "Z", at)


def _related(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _root(inventory: Inventory) -> dict[str, Any]:
    root: dict[str, Any] = {
        "SPDXID": "SPDXRef-Image",
        "name": inventory.name,
        "downloadLocation": _NONE,
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER" if inventory.digest else "SOURCE",
    }
    if inventory.digest:
        root["versionInfo"] = inventory.digest
        algorithm, _, digits = inventory.digest.partition(":")
        root["checksums"] = [{"algorithm": algorithm.upper(), "checksumValue": digits}]
    url = oci_purl(inventory)
    if url:
        root["externalRefs"] = [_reference(url)]
    system = inventory.system
    if system is not None:
        root["comment"] = f"os-release: {system.id} {system.version} {system.codename}".strip()
    return root


def _package(
    package: Package, number: int, inventory: Inventory, others: dict[str, str]
) -> dict[str, Any]:
    name = re.sub(r"[^A-Za-z0-9.-]", "-", package.name)
    found: dict[str, Any] = {
        "SPDXID": f"SPDXRef-Package-{number + 1}-{name}",
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": _NONE,
        "filesAnalyzed": False,
        "licenseConcluded": _NONE,
        "licenseDeclared": _declared(package, others),
        "copyrightText": _NONE,
        "primaryPackagePurpose": "LIBRARY",
    }
    if package.source:
        found["sourceInfo"] = f"built from {package.source} {package.source_version}".strip()
    url = purl(package, inventory.system)
    if url:
        found["externalRefs"] = [_reference(url)]
    if package.path:
        found["comment"] = f"{package.path}" + (
            f" (layer {package.layer + 1})" if package.layer >= 0 else ""
        )
    return found


def _reference(url: str) -> dict[str, str]:
    return {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": url,
    }


def _declared(package: Package, others: dict[str, str]) -> str:
    from martello.practices.images.licences import is_spdx

    words: list[str] = []
    for text in package.licences:
        if is_spdx(text):
            words.append(f"({text})" if " OR " in text and len(package.licences) > 1 else text)
        else:
            words.append(others.setdefault(text, f"LicenseRef-{len(others) + 1}"))
    return " AND ".join(words) or _NONE
