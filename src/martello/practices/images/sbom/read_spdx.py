"""Reads SPDX 2.x, as JSON and as tag-value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from martello.core.errors import BadInput
from martello.core.package import Inventory, System
from martello.practices.images.sbom.gathered import MOST, Found, listing, named, text_of
from martello.practices.images.sbom.spdx import NAMESPACE, UNREAD

_BUILT: Final = re.compile(r"\Abuilt package from: (\S+) (\S+)\Z")


def read_spdx(body: dict[str, Any], file: str) -> Inventory:
    """The packages of a document in the form of its JSON. Raises BadInput."""
    found = Found()
    found.ours = text_of(body.get("documentNamespace")).startswith(NAMESPACE)
    roots = _roots(body)
    name, digest = text_of(body.get("name")) or file, ""
    texts = _texts(body)
    entries = listing(body.get("packages"))
    if len(entries) > MOST:
        raise BadInput(f"cannot read {file}", "it lists too much")
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        purpose = entry.get("primaryPackagePurpose")
        root = text_of(entry.get("SPDXID")) in roots
        if root and purpose == "CONTAINER":
            said = {"name": entry.get("name"), "version": entry.get("versionInfo")}
            name, digest = named(said, file)
        if purpose == "OPERATING-SYSTEM":
            found.system = _spdx_system(entry)
            continue
        url = _spdx_url(entry)
        if not url:
            if not root and purpose not in ("CONTAINER", "APPLICATION", "SOURCE", "FILE"):
                found.nameless(entry.get("name"))
            continue
        noted = _comment(entry) if found.ours else {}
        properties = {f"martello:{key}": noted[key] for key in ("path", "owner") if key in noted}
        built = _BUILT.match(text_of(entry.get("sourceInfo")))
        if built:
            properties |= {"martello:source": built[1], "martello:sourceVersion": built[2]}
        found.add(url, properties, _spdx_licences(entry, texts), dev=noted.get("dev") == "true")
    for line in text_of(body.get("comment")).splitlines():
        if line.startswith(UNREAD):
            found.told(line.removeprefix(UNREAD))
    return found.inventory(name, digest)


def _roots(body: Mapping[str, Any]) -> set[str]:
    """The elements that the document is about."""
    roots = {one for one in listing(body.get("documentDescribes")) if isinstance(one, str)}
    for relation in listing(body.get("relationships")):
        if isinstance(relation, dict) and relation.get("relationshipType") == "DESCRIBES":
            roots.add(text_of(relation.get("relatedSpdxElement")))
    return roots


def _texts(body: Mapping[str, Any]) -> dict[str, str]:
    """Licences that only this document knows, by their references."""
    found: dict[str, str] = {}
    for entry in listing(body.get("hasExtractedLicensingInfos")):
        if isinstance(entry, dict):
            name = text_of(entry.get("name")) or text_of(entry.get("extractedText"))
            found[text_of(entry.get("licenseId"))] = name[:500]
    return found


def _spdx_licences(entry: Mapping[str, Any], texts: Mapping[str, str]) -> tuple[str, ...]:
    declared = text_of(entry.get("licenseDeclared"))
    if declared in ("", "NOASSERTION", "NONE"):
        return ()
    if " OR " in declared or "(" in declared:
        return (declared,)
    return tuple(texts.get(part, part) or part for part in declared.split(" AND "))


def _comment(entry: Mapping[str, Any]) -> dict[str, str]:
    """The lines `key: value` that we write beside a package."""
    lines = (line.partition(": ") for line in text_of(entry.get("comment")).splitlines())
    return {key: value for key, colon, value in lines if colon}


def _spdx_system(entry: Mapping[str, Any]) -> System:
    said = _comment(entry)
    return System(
        id=text_of(entry.get("name")).lower(),
        version=text_of(entry.get("versionInfo")),
        codename=said.get("codename", ""),
        name=text_of(entry.get("description")),
        like=tuple(said.get("like", "").split()),
    )


def _spdx_url(entry: dict[str, Any]) -> str:
    for reference in listing(entry.get("externalRefs")):
        if isinstance(reference, dict) and reference.get("referenceType") == "purl":
            return text_of(reference.get("referenceLocator"))
    return ""


def tag_value(content: bytes, file: str) -> dict[str, Any]:
    """SPDX tag-value as the JSON form would have it, as far as it is read here."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"cannot read {file}", "it is no UTF-8 text") from None
    document: dict[str, Any] = {"packages": [], "relationships": []}
    current: dict[str, Any] = document
    keys = {
        "SPDXID": "SPDXID",
        "DocumentNamespace": "documentNamespace",
        "PackageSourceInfo": "sourceInfo",
        "PackageVersion": "versionInfo",
        "PackageLicenseDeclared": "licenseDeclared",
        "PrimaryPackagePurpose": "primaryPackagePurpose",
    }
    for line in _without_texts(text).splitlines():
        tag, colon, value = line.partition(":")
        value = value.strip()
        if not colon:
            continue
        if tag == "PackageName":
            current = {"name": value}
            document["packages"].append(current)
        elif tag in ("FileName", "SnippetSPDXID"):
            current = {}
        elif tag == "DocumentName":
            document["name"] = value
        elif tag == "Relationship" and " DESCRIBES " in value:
            target = value.rpartition(" DESCRIBES ")[2].strip()
            relation = {"relationshipType": "DESCRIBES", "relatedSpdxElement": target}
            document["relationships"].append(relation)
        elif tag == "ExternalRef":
            words = value.split(None, 2)
            if len(words) == 3 and words[1] == "purl":
                reference = {"referenceType": "purl", "referenceLocator": words[2]}
                current.setdefault("externalRefs", []).append(reference)
        elif tag in keys:
            current[keys[tag]] = value
    return document


def _without_texts(text: str) -> str:
    """Without what stands in `<text>` over several lines; in linear time."""
    first, *rest = text.split("<text>")
    parts = [first]
    for part in rest:
        inner, _, after = part.partition("</text>")
        parts.append(after if "\n" in inner else inner + after)
    return "".join(parts)
