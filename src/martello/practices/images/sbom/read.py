"""Reads bills of materials of any tool: CycloneDX JSON 1.2 to 1.6, SPDX 2.x JSON and tag-value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.core.errors import BadInput
from martello.core.package import Inventory, System
from martello.practices.images.sbom.cyclonedx import UNREAD
from martello.practices.images.sbom.gathered import MOST, Found, listing, mapping, named, text_of
from martello.practices.images.sbom.read_spdx import read_spdx, tag_value

LARGEST: Final = 128 << 20
_DEEPEST: Final = 20


def read_sbom(content: bytes, file: str) -> Inventory:
    """The packages that a document lists; each without a usable package URL is unread. Raises
    BadInput where it is no such document.
    """
    if len(content) > LARGEST:
        raise BadInput(f"cannot read {file}", f"it is larger than {LARGEST >> 20} MiB")
    if content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"SPDXVersion:"):
        return read_spdx(tag_value(content, file), file)
    try:
        body = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadInput(f"cannot read {file}", "it is no JSON", _NEXT) from None
    if isinstance(body, dict) and isinstance(body.get("predicate"), dict):
        body = body["predicate"]  # an in-toto statement around it
    if isinstance(body, dict) and body.get("bomFormat") == "CycloneDX":
        return _cyclonedx(body, file)
    if isinstance(body, dict) and str(body.get("spdxVersion", "")).startswith("SPDX-2"):
        return read_spdx(body, file)
    raise BadInput(f"cannot read {file}", "it is neither CycloneDX nor SPDX 2", _NEXT)


_NEXT: Final = "give a CycloneDX document as JSON, or SPDX 2 as JSON or tag-value"


def _cyclonedx(body: dict[str, Any], file: str) -> Inventory:
    found = Found()
    root = mapping(mapping(body.get("metadata")).get("component"))
    for component in _components([body.get("components"), root.get("components")], file):
        properties = _properties(component)
        if component.get("type") == "operating-system":
            found.system = _system(component, properties)
            continue
        if component.get("type") in ("file", "data", "device"):
            continue
        url = text_of(component.get("purl"))
        if not url:
            if component.get("type") != "application":  # a lock file or the program itself
                found.nameless(component.get("name"))
            continue
        found.add(url, properties, _licences(component), dev=component.get("scope") == "excluded")
    for entry in listing(root.get("properties")):
        if isinstance(entry, dict) and entry.get("name") == UNREAD:
            found.told(text_of(entry.get("value")))
    if any(_incomplete(entry, root) for entry in listing(body.get("compositions"))):
        found.incomplete()
    return found.inventory(*named(root, file))


def _incomplete(composition: Any, root: Mapping[str, Any]) -> bool:
    """Whether a document says of all that it lists, or of its subject, that more is there."""
    if not isinstance(composition, dict):
        return False
    if not text_of(composition.get("aggregate")).startswith("incomplete"):
        return False
    meant = listing(composition.get("assemblies"))
    return not meant or (bool(root.get("bom-ref")) and root["bom-ref"] in meant)


def _components(values: Sequence[Any], file: str) -> Iterator[dict[str, Any]]:
    pending = [(value, 0) for value in reversed(values)]
    count = 0
    while pending:
        entries, depth = pending.pop()
        if not isinstance(entries, list):
            continue
        for component in entries:
            count += 1
            if count > MOST or depth > _DEEPEST:
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
            found.setdefault(text_of(entry.get("name")), text_of(entry.get("value")))
    return found


def _licences(component: dict[str, Any]) -> tuple[str, ...]:
    found: list[str] = []
    entries = component.get("licenses")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            named = mapping(entry.get("license"))
            text = text_of(named.get("id")) or text_of(named.get("name"))
            found.append(text or text_of(entry.get("expression")))
    return tuple(text for text in found if text)


def _system(component: dict[str, Any], properties: Mapping[str, str]) -> System:
    identity = text_of(component.get("name")).lower()
    return System(
        id=identity,
        version=text_of(component.get("version")),
        codename=properties.get("martello:codename", ""),
        name=text_of(component.get("description")),
        like=tuple(properties.get("martello:like", "").split()),
    )
