"""Writes SPDX 2.3 as JSON."""

from __future__ import annotations

import re
from typing import Any, Final

from martello.core.package import Inventory, Package, System
from martello.practices.images.ecosystems import purl
from martello.practices.images.sbom.cyclonedx import identity, oci_purl

VERSION: Final = "SPDX-2.3"
NAMESPACE: Final = "https://martello.dev/spdx/"
UNREAD: Final = "not read: "
_NONE: Final = "NOASSERTION"
_REFERENCE: Final = re.compile(
    r"(?<![\w.-])(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+"
)


def spdx(inventory: Inventory, *, at: str, version: str) -> dict[str, Any]:
    """The document as plain data. Its namespace follows from the content."""
    urls = [purl(package, inventory.system) for package in inventory.packages]
    others: dict[str, str] = {}  # licence text → LicenseRef-…
    packages = [
        _package(package, number, urls[number], others)
        for number, package in enumerate(inventory.packages)
    ]
    if inventory.system is not None:
        packages.append(_system(inventory.system))
    root = _root(inventory)
    creation = {"created": _seconds(at), "creators": [f"Tool: martello-{version}"]}
    document: dict[str, Any] = {
        "spdxVersion": VERSION,
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": inventory.name,
        "documentNamespace": NAMESPACE + identity(inventory, urls, at),
        "creationInfo": creation,
        "documentDescribes": [root["SPDXID"]],
        "packages": [root, *packages],
        "relationships": [
            _related("SPDXRef-DOCUMENT", "DESCRIBES", root["SPDXID"]),
            *(_related(root["SPDXID"], "CONTAINS", p["SPDXID"]) for p in packages),
        ],
    }
    if inventory.unread:
        document["comment"] = "\n".join(f"{UNREAD}{_line(str(one))}" for one in inventory.unread)
    if others:
        document["hasExtractedLicensingInfos"] = [
            {"licenseId": id, "extractedText": text, "name": text} for text, id in others.items()
        ]
    return document


def _line(text: str) -> str:
    return " ".join(text.split())


def _seconds(at: str) -> str:
    """SPDX takes no fractions of seconds, and UTC only as Z."""
    return re.sub(r"(\.\d+)?(Z|\+00:00)?$", "Z", at, count=1)


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
    return root


def _system(system: System) -> dict[str, Any]:
    found = {
        "SPDXID": "SPDXRef-OperatingSystem",
        "name": system.id,
        "versionInfo": system.version,
        "downloadLocation": _NONE,
        "filesAnalyzed": False,
        "primaryPackagePurpose": "OPERATING-SYSTEM",
    }
    known = (("codename", system.codename), ("like", " ".join(system.like)))
    comment = "\n".join(f"{key}: {_line(value)}" for key, value in known if value)
    more = {"description": _line(system.name), "comment": comment}
    return found | {key: value for key, value in more.items() if value}


def _package(package: Package, number: int, url: str, others: dict[str, str]) -> dict[str, Any]:
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
        version = package.source_version or package.version
        found["sourceInfo"] = f"built package from: {package.source} {version}"
    found["externalRefs"] = [_reference(url)]
    known = (
        ("path", package.path),
        ("layer", str(package.layer) if package.layer >= 0 else ""),
        ("owner", package.owner),
        ("dev", "true" if package.dev else ""),
    )
    comment = "\n".join(f"{key}: {_line(value)}" for key, value in known if value)
    if comment:
        found["comment"] = comment
    return found


def _reference(url: str) -> dict[str, str]:
    return {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": url,
    }


def _declared(package: Package, others: dict[str, str]) -> str:
    """One expression of all licences; what SPDX does not list is a text of the document's own."""
    from martello.practices.images.licences import is_spdx

    words: list[str] = []
    for text in package.licences:
        if is_spdx(text) and not _REFERENCE.search(text):
            words.append(f"({text})" if " OR " in text and len(package.licences) > 1 else text)
        else:
            words.append(others.setdefault(text, f"LicenseRef-martello-{len(others) + 1}"))
    return " AND ".join(dict.fromkeys(words)) or _NONE
