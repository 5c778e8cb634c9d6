"""Puts an approved image into a registry: blobs, manifests by digest, vouchers, the tag at last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

import msgspec

from martello.adapters.registry.client import Registry
from martello.cli.images import attesting, signing
from martello.cli.images.gating import Judged
from martello.cli.images.opening import Opened
from martello.core.artifact import Descriptor, Index, Manifest, Repository, parse_manifest
from martello.core.errors import BadInput
from martello.practices.images.attest.keys import PrivateKey

_DEEPEST = 4


class Moved(msgspec.Struct, frozen=True):
    """What was put there: the digest, and how many blobs were sent, mounted, or there already."""

    digest: str
    sent: int
    mounted: int
    there: int


def push(top: Manifest | Index, place: Repository, target: Registry) -> Moved:
    """Puts an image, or an index with all that it lists, under its digest: nothing but digests
    leads there yet. A second run sends no blob.
    """
    counts = {"sent": 0, "mounted": 0, "there": 0}
    _push(top, place, target, counts, _DEEPEST)
    return Moved(top.digest, counts["sent"], counts["mounted"], counts["there"])


def _push(
    top: Manifest | Index, place: Repository, target: Registry, counts: dict[str, int], depth: int
) -> None:
    if isinstance(top, Index):
        if depth < 1:
            raise BadInput(f"cannot push {top.digest}", "its indexes are nested too deeply")
        for child in top.manifests:
            raw, media = place.manifest(child.digest)
            found = parse_manifest(raw, media or child.media, child.digest)
            _push(found, place, target, counts, depth - 1)
    else:
        for blob in dict.fromkeys((*_keys(top.layers), *_keys((top.config,)))):
            descriptor = next(d for d in (*top.layers, top.config) if d.digest == blob)
            how = target.upload(
                descriptor.digest,
                descriptor.size,
                partial(place.blob, descriptor),
                mount_from=_neighbour(place, target),
            )
            counts[how] = counts.get(how, 0) + 1
    target.put(top.raw, top.media)


def _keys(descriptors: Sequence[Descriptor]) -> Iterator[str]:
    for descriptor in descriptors:
        if "nondistributable" in descriptor.media or "foreign" in descriptor.media:
            why = "its bytes lie elsewhere (a foreign layer), and were never judged"
            raise BadInput(f"cannot push {descriptor.digest}", why)
        yield descriptor.digest


def _neighbour(place: Repository, target: Registry) -> str:
    """A repository of the same registry, which blobs can be mounted from."""
    if isinstance(place, Registry) and place.image.registry == target.image.registry:
        return place.image.repository
    return ""


def vouch(
    target: Registry, judged: Sequence[Judged], key: PrivateKey, at: datetime, started: datetime
) -> None:
    """Signs each image, and attests its vulnerabilities, its contents and the verdict."""
    for one in judged:
        manifest = one.opened.manifest
        subject = Descriptor(manifest.media, manifest.digest, len(manifest.raw))
        signing.sign(target, manifest.digest, key)
        moment = at.isoformat(timespec="seconds").replace("+00:00", "Z")
        begun = started.isoformat(timespec="seconds").replace("+00:00", "Z")
        for type, predicate in (
            ("vuln", attesting.vulnerability_predicate(one.examined, moment, begun)),
            ("cyclonedx", attesting.bill_predicate(one.examined, at)),
            ("verdict", attesting.verdict_predicate(one.judgements)),
        ):
            signing.attest(target, subject, type, predicate, key, at)
    index = judged[0].opened.index
    if index is not None:
        signing.sign(target, index.digest, key)


def top_of(opened: Sequence[Opened], whole: bool) -> Manifest | Index:
    """What is pushed: the index where all of its platforms were judged, else the one image."""
    first = opened[0]
    if first.index is not None and whole:
        return first.index
    if len(opened) > 1:
        raise BadInput("several images would get one tag", "", "name one with --platform")
    return first.manifest
