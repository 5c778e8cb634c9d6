"""What is attached to an image: signatures, attestations, lists of contents.

Three ways lead there, and all are walked: the referrers API, the fall-back tag `sha256-<hex>` of
registries without it, and cosign's tags. Every manifest found is opened, because the artifactType
of a descriptor is wrong in some registries: what it is, its own bytes say.
Source: the OCI distribution specification 1.1, "Listing Referrers".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec

from martello.adapters.registry.failure import Missing
from martello.adapters.registry.line import Line
from martello.adapters.registry.pages import pages
from martello.core.artifact import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    Index,
    Manifest,
    digest_of,
    parse_digest,
    parse_manifest,
)
from martello.core.errors import BadInput, MartelloError, NotPermitted, Refused, Unreachable

COSIGN: Final = ("sig", "att", "sbom")
_ACCEPT: Final = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST))
_MOST: Final = 1_000  # attached artefacts of one image
_TRIES: Final = 5
_NO_API: Final = (400, 404, 405, 406, 501)  # how registries without the API answer


class Attachment(msgspec.Struct, frozen=True):
    """One attached artefact. `kind` is the type that its manifest gives itself; `how` the way that
    led to it: "referrers", or the tag.
    """

    kind: str
    how: str
    manifest: Manifest | Index

    @property
    def digest(self) -> str:
        """The digest of the attached manifest."""
        return self.manifest.digest


class Attached(msgspec.Struct, frozen=True):
    """All that was found, and what could not be read: (digest or tag, why)."""

    found: tuple[Attachment, ...]
    unread: tuple[tuple[str, str], ...]


def attached(line: Line, digest: str) -> Attached:
    """Everything attached to a manifest, each once. Raises Unreachable or NotPermitted where the
    registry cannot be asked; one unreadable artefact is told of in `unread`.
    """
    found: dict[str, Attachment] = {}
    unread: dict[str, str] = {}
    listed: dict[str, str] = {}
    for name, how in _listed(line, digest, unread):
        listed.setdefault(name, how)
        if len(listed) >= _MOST:
            unread["the rest"] = f"more than {_MOST} artefacts are attached"
            break
    for name, how in listed.items():
        _open(line, name, how, digest, found, unread)
    for suffix in COSIGN:
        tag = f"{fallback(digest)}.{suffix}"
        _open(line, tag, tag, "", found, unread)
    return Attached(tuple(found.values()), tuple(unread.items()))


def fallback(digest: str) -> str:
    """The tag under which registries without the API keep the index of what is attached."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm[:32]}-{digits[:64]}"


def remember(line: Line, manifest: Manifest | Index) -> None:
    """Enters an artefact into the index of its subject's fall-back tag: read, change, write, read
    again, until it is there. Raises Unreachable where others overwrite it each time.
    """
    assert manifest.subject is not None
    tag = fallback(manifest.subject.digest)
    what = f"cannot list {manifest.digest} as attached in {line.endpoint.name}:{tag}"
    entry = _entry(manifest)
    for _ in range(_TRIES):
        body, old = _index(line, tag, what)
        if any(_digest(listed) == manifest.digest for listed in body["manifests"]):
            return
        body["manifests"].append(entry)
        _write(line, tag, what, body, old)
    body, _ = _index(line, tag, what)
    if not any(_digest(listed) == manifest.digest for listed in body["manifests"]):
        why = f"others write that tag at the same time, {_TRIES} times"
        raise Unreachable(what, why, "try again")


def forget(line: Line, subject: str, digests: Collection[str]) -> None:
    """Takes artefacts out of the index of their subject's fall-back tag, where there is one. Raises
    Unreachable where others overwrite it each time.
    """
    tag = fallback(subject)
    what = f"cannot take artefacts out of {line.endpoint.name}:{tag}"
    for _ in range(_TRIES):
        body, old = _index(line, tag, what)
        kept = [listed for listed in body["manifests"] if _digest(listed) not in digests]
        if len(kept) == len(body["manifests"]):
            return
        body["manifests"] = kept
        _write(line, tag, what, body, old)
    raise Unreachable(what, f"others write that tag at the same time, {_TRIES} times", "try again")


def discard(line: Line, digest: str, tag: str = "") -> bool:
    """Deletes a manifest, unless the tag still means it; False where it stays, because the registry
    does not delete, or not for us.
    """
    what = f"cannot delete {digest} from {line.endpoint.name}"
    try:
        if tag and _read(line, tag).digest == digest:
            return False
        url = line.url(f"manifests/{digest}")
        line.call(what, "DELETE", url, scopes=line.scope("delete"), wanted=(200, 202, 204, 404))
    except (NotPermitted, BadInput):
        return False
    return True


def _write(line: Line, tag: str, what: str, body: dict[str, Any], old: str) -> None:
    """Moves the tag to a new index; the old one, which nothing leads to any more, goes. A registry
    that takes no index of what is not there (any more) gets one of what is.
    """
    try:
        _put(line, tag, what, body)
    except BadInput:
        there = [listed for listed in body["manifests"] if _is_there(line, _digest(listed))]
        if len(there) == len(body["manifests"]):
            raise
        _put(line, tag, what, {**body, "manifests": there})
    if old:
        discard(line, old, tag)


def _put(line: Line, tag: str, what: str, body: dict[str, Any]) -> None:
    line.call(
        what,
        "PUT",
        line.url(f"manifests/{tag}"),
        scopes=line.scope("pull", "push"),
        headers={"Content-Type": OCI_INDEX},
        content=msgspec.json.encode(body),
        wanted=(200, 201),
    )


def _is_there(line: Line, digest: str) -> bool:
    try:
        return bool(digest) and _read(line, digest).digest == digest
    except (BadInput, Refused):
        return False


def _listed(line: Line, digest: str, unread: dict[str, str]) -> Iterator[tuple[str, str]]:
    what = f"cannot list what is attached to {digest} in {line.endpoint.name}"
    url, scopes = line.url(f"referrers/{digest}"), line.scope("pull")
    for body, reply in pages(line, what, url, scopes, accept=OCI_INDEX, absent=_NO_API):
        if reply.headers.get("oci-filters-applied"):
            unread[f"referrers of {digest}"] = "the registry filtered the list unasked"
        for entry in _manifests(body):
            yield entry, "referrers"
    tag = fallback(digest)
    try:
        index = _read(line, tag)
    except Missing:
        return
    except (BadInput, Refused) as error:
        unread[tag] = error.why or error.what
        return
    if isinstance(index, Index):
        for child in index.manifests:
            yield child.digest, f"tag {tag}"


def _manifests(body: Mapping[str, Any]) -> Iterator[str]:
    listed = body.get("manifests")
    for entry in listed if isinstance(listed, list) else ():
        digest = _digest(entry)
        if digest:
            yield digest


def _open(
    line: Line,
    name: str,
    how: str,
    subject: str,
    found: dict[str, Attachment],
    unread: dict[str, str],
) -> None:
    try:
        manifest = _read(line, name)
    except Missing:
        if subject:
            unread[name] = "it is listed as attached, and is not there"
        return
    except (BadInput, Refused) as error:
        unread[name] = error.why or error.what
        return
    stated = manifest.subject.digest if manifest.subject is not None else ""
    if subject and stated != subject:
        unread[name] = "it is listed as attached, and says that it belongs to something else"
        return
    found.setdefault(manifest.digest, Attachment(_kind(manifest), how, manifest))


def _read(line: Line, reference: str) -> Manifest | Index:
    where = f"{line.endpoint.name}{'@' if ':' in reference else ':'}{reference}"
    reply = line.call(
        f"cannot read {where}",
        "GET",
        line.url(f"manifests/{reference}"),
        scopes=line.scope("pull"),
        headers={"Accept": _ACCEPT},
    )
    raw = reply.content
    if ":" in reference and digest_of(raw, reference.partition(":")[0]) != reference:
        raise Refused(f"{where} does not hold what it promises", "its bytes have another digest")
    return parse_manifest(raw, reply.headers.get("content-type", ""), where)


def _kind(manifest: Manifest | Index) -> str:
    if manifest.artifact:
        return manifest.artifact
    config = manifest.config.media if isinstance(manifest, Manifest) else ""
    return "" if config == EMPTY else config


def _entry(manifest: Manifest | Index) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "mediaType": manifest.media,
        "digest": manifest.digest,
        "size": len(manifest.raw),
    }
    kind = _kind(manifest)
    if kind:
        entry["artifactType"] = kind
    if manifest.annotations:
        entry["annotations"] = dict(manifest.annotations)
    return entry


def _index(line: Line, tag: str, what: str) -> tuple[dict[str, Any], str]:
    """The fall-back index as it lies there, foreign fields kept, and its digest; an empty one if
    there is none.
    """
    try:
        found = _read(line, tag)
    except Missing:
        return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}, ""
    if not isinstance(found, Index):
        raise BadInput(what, f"{tag} holds an image, no index of what is attached")
    body: dict[str, Any] = msgspec.json.decode(found.raw)
    return body, found.digest


def _digest(entry: Any) -> str:
    digest = entry.get("digest") if isinstance(entry, dict) else None
    try:
        return parse_digest(digest) if isinstance(digest, str) else ""
    except MartelloError:
        return ""
