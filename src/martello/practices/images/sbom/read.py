"""Reads bills of materials of any tool: CycloneDX JSON 1.2 to 1.6, SPDX 2.x JSON and tag-value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.package import Inventory, Package, System, Unread
from martello.practices.images.ecosystems import ecosystem_of, parse_purl

LARGEST: Final = 256 << 20
_MOST: Final = 500_000  # components
_DEEPEST: Final = 20
# What tools write beside a component, by the end of the property's name.
_SOURCE: Final = ("martello:source", "aquasecurity:trivy:SrcName")
_VERSION: Final = ("martello:sourceVersion", "aquasecurity:trivy:SrcVersion")
_RELEASE: Final = "aquasecurity:trivy:SrcRelease"
_EPOCH: Final = "aquasecurity:trivy:SrcEpoch"
_MODULE: Final = ("martello:module", "aquasecurity:trivy:Modularitylabel")
_PATH: Final = ("martello:path", "aquasecurity:trivy:FilePath", "syft:location:0:path")
_OWNER: Final = ("martello:owner",)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def read_sbom(content: bytes, file: str) -> Inventory:
    """The packages that a document lists; each without a usable package URL is unread. Raises
    BadInput where it is no such document.
    """
    if len(content) > LARGEST:
        raise BadInput(f"cannot read {file}", f"it is larger than {LARGEST >> 20} MiB")
    if content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"SPDXVersion:"):
        return _spdx(_tag_value(content, file), file)
    try:
        body = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput(f"cannot read {file}", "it is no JSON", _NEXT) from None
    if isinstance(body, dict) and isinstance(body.get("predicate"), dict):
        body = body["predicate"]  # an in-toto statement around it
    if isinstance(body, dict) and body.get("bomFormat") == "CycloneDX":
        return _cyclonedx(body, file)
    if isinstance(body, dict) and str(body.get("spdxVersion", "")).startswith("SPDX-2"):
        return _spdx(body, file)
    raise BadInput(f"cannot read {file}", "it is neither CycloneDX nor SPDX 2", _NEXT)


_NEXT: Final = "give a CycloneDX document as JSON, or SPDX 2 as JSON or tag-value"


def _cyclonedx(body: dict[str, Any], file: str) -> Inventory:
    unread: list[Unread] = []
    packages: list[Package] = []
    system: System | None = None
    metadata = _map(body.get("metadata"))
    root = _map(metadata.get("component"))
    for component in _components(body.get("components"), file):
        properties = _properties(component)
        if component.get("type") == "operating-system":
            system = _system(component, properties)
            continue
        if component.get("type") in ("file", "data", "device"):
            continue
        url = _text(component.get("purl"))
        if not url:
            name = _text(component.get("name")) or "without a name"
            if component.get("type") != "application":  # a lock file or the program itself
                unread.append(Unread("component", name, "it has no package URL"))
            continue
        found = _package(url, properties, _licences(component), unread)
        if found is not None:
            packages.append(found)
    return _inventory(_named(root, file), packages, system, unread)


def _components(value: Any, file: str) -> Iterator[dict[str, Any]]:
    pending = [(value, 0)]
    count = 0
    while pending:
        entries, depth = pending.pop()
        if not isinstance(entries, list):
            continue
        for component in entries:
            count += 1
            if count > _MOST or depth > _DEEPEST:
                raise BadInput(f"cannot read {file}", "it lists too much, or nests too deeply")
            if isinstance(component, dict):
                yield component
                if component.get("components"):
                    pending.append((component["components"], depth + 1))


def _properties(component: dict[str, Any]) -> dict[str, str]:
    entries = component.get("properties")
    found: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            found.setdefault(_text(entry.get("name")), _text(entry.get("value")))
    return found


def _package(
    url: str, properties: Mapping[str, str], licences: tuple[str, ...], unread: list[Unread]
) -> Package | None:
    try:
        package = parse_purl(url)
    except BadInput as error:
        unread.append(Unread("component", url[:120], error.why or error.what))
        return None
    if package.type in ("oci", "docker"):
        return None
    if not package.version:
        unread.append(Unread("component", url[:120], "it has no version"))
        return None

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


def _licences(component: dict[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    entries = component.get("licenses")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            named = _map(entry.get("license"))
            text = _text(named.get("id")) or _text(named.get("name"))
            found.append(text or _text(entry.get("expression")))
    return tuple(text for text in found if text)


def _system(component: dict[str, Any], properties: Mapping[str, str]) -> System:
    identity = _text(component.get("name")).lower()
    return System(
        id=identity,
        version=_text(component.get("version")),
        codename=properties.get("martello:codename", ""),
        name=_text(component.get("description")),
        like=tuple(properties.get("martello:like", "").split()),
    )


def _named(root: Mapping[str, Any], file: str) -> tuple[str, str]:
    name = _text(root.get("name")) or file
    for text in (_text(root.get("version")), _text(root.get("purl")), name):
        found = _DIGEST.search(text.replace("%3A", ":"))
        if found:
            return name, found[0]
    return name, ""


def _spdx(body: dict[str, Any], file: str) -> Inventory:
    unread: list[Unread] = []
    packages: list[Package] = []
    described = body.get("documentDescribes")
    roots = {r for r in described if isinstance(r, str)} if isinstance(described, list) else set()
    for relation in _list(body.get("relationships")):
        if isinstance(relation, dict) and relation.get("relationshipType") == "DESCRIBES":
            roots.add(_text(relation.get("relatedSpdxElement")))
    name, digest = _text(body.get("name")) or file, ""
    system: System | None = None
    entries = _list(body.get("packages"))
    if len(entries) > _MOST:
        raise BadInput(f"cannot read {file}", "it lists too much")
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        root = _text(entry.get("SPDXID")) in roots
        if root and entry.get("primaryPackagePurpose") == "CONTAINER":
            name, digest = _named(
                {"name": entry.get("name"), "version": entry.get("versionInfo")}, file
            )
            system = _release(_text(entry.get("comment")))
        if entry.get("primaryPackagePurpose") == "OPERATING-SYSTEM":
            system = System(_text(entry.get("name")).lower(), _text(entry.get("versionInfo")))
            continue
        url = _spdx_url(entry)
        if not url:
            if not root and entry.get("primaryPackagePurpose") != "CONTAINER":
                said = _text(entry.get("name")) or "without a name"
                unread.append(Unread("package", said, "it has no package URL"))
            continue
        licence = _text(entry.get("licenseDeclared"))
        licences = (licence,) if licence and licence not in ("NOASSERTION", "NONE") else ()
        found = _package(url, {}, licences, unread)
        if found is not None:
            packages.append(found)
    return _inventory((name, digest), packages, system, unread)


def _release(comment: str) -> System | None:
    head, _, rest = comment.partition("os-release: ")
    words = rest.split()
    if head or not words:
        return None
    identity, version, codename, *_ = (*words, "", "")
    return System(identity, version, codename)


def _spdx_url(entry: dict[str, Any]) -> str:
    for reference in _list(entry.get("externalRefs")):
        if isinstance(reference, dict) and reference.get("referenceType") == "purl":
            return _text(reference.get("referenceLocator"))
    return ""


def _tag_value(content: bytes, file: str) -> dict[str, Any]:
    """SPDX tag-value as the JSON form would have it, as far as it is read here."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"cannot read {file}", "it is no UTF-8 text") from None
    document: dict[str, Any] = {"packages": [], "relationships": []}
    current: dict[str, Any] = document
    keys = {
        "SPDXID": "SPDXID",
        "PackageVersion": "versionInfo",
        "PackageLicenseDeclared": "licenseDeclared",
        "PrimaryPackagePurpose": "primaryPackagePurpose",
    }
    for line in re.sub(r"<text>.*?</text>", "", text, flags=re.DOTALL).splitlines():
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


def _inventory(
    named: tuple[str, str],
    packages: list[Package],
    system: System | None,
    unread: list[Unread],
) -> Inventory:
    """Fills in the ecosystem of distribution packages whose own URL does not name a release."""
    if system is not None:
        packages = [
            msgspec.structs.replace(p, ecosystem=p.ecosystem or ecosystem_of(p.type, system))
            for p in packages
        ]
    if not packages and not unread:
        unread = [Unread("document", named[0], "it lists no packages")]
    return Inventory(
        name=named[0],
        digest=named[1],
        system=system,
        packages=tuple(dict.fromkeys(packages)),
        unread=tuple(unread),
    )


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
