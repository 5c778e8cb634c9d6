"""Puts an approved image into a registry: blobs, manifests by digest, vouchers, the tag at last."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal

import msgspec

from martello.adapters.registry.client import Registry
from martello.cli.images import attesting, signing, vouching
from martello.cli.images.gating import Judged
from martello.cli.images.judgements import on_index
from martello.cli.images.opening import Opened
from martello.cli.progress import Progress
from martello.core.artifact import Descriptor, Index, Manifest, Repository, parse_manifest
from martello.core.errors import BadInput, Refused, Unreachable
from martello.practices.images.attest.dsse import IN_TOTO
from martello.practices.images.attest.keys import PrivateKey

Compress = Literal["", "gzip", "zstd", "none"]
_DEEPEST: Final = 4
_STEADY: Final = 15.0  # seconds in which a step is repeated that fails at once


class Plan(msgspec.Struct, frozen=True):
    """What an image consists of: its blobs, once each, and its manifests, the named one last."""

    top: Manifest | Index
    blobs: tuple[Descriptor, ...]
    manifests: tuple[Manifest | Index, ...]


class Moved(msgspec.Struct, frozen=True):
    """What was put there: the digest, and how many blobs were sent, mounted, or there already."""

    digest: str
    sent: int
    mounted: int
    there: int

    def __str__(self) -> str:
        words = (("sent", self.sent), ("mounted", self.mounted), ("there already", self.there))
        told = ", ".join(f"{count} {word}" for word, count in words if count)
        return f"blobs: {told}" if told else "no blobs"


@contextlib.contextmanager
def packed(opened: Sequence[Opened], how: Compress, progress: Progress) -> Iterator[list[Opened]]:
    """The images as they will lie in a registry. Those that have no manifest of their own, because
    they come out of an archive, get their layers compressed; the digest of others is theirs.
    """
    from martello.adapters.archive import DockerArchive

    plain = [isinstance(one.place, DockerArchive) for one in opened]
    if how in ("gzip", "zstd", "none") and not all(plain):
        why = "it has a manifest, whose digest would be another one"
        next = "leave --compress out: it is for archives of docker save, and for local engines"
        raise BadInput(f"cannot compress {opened[0].name}", why, next)
    if how == "none" or not any(plain):
        yield list(opened)
        return
    from martello.adapters.compress import Compressed

    with contextlib.ExitStack() as stack:
        made: list[Opened] = []
        for one in opened:
            place = stack.enter_context(Compressed(one.place))
            manifest = place.compress(one.manifest, "zstd" if how == "zstd" else "gzip", progress)
            made.append(msgspec.structs.replace(one, place=place, manifest=manifest))
        yield made


def plan(opened: Sequence[Opened], whole: bool) -> Plan:
    """What is to be pushed: the index that was named where all of its platforms were judged
    (`whole`), else the one image. Raises BadInput, and Refused for an index that lists anything
    that was not judged: nothing of it may arrive.
    """
    first = opened[0]
    top: Manifest | Index = first.manifest
    if first.top is not None and whole:
        top = first.top
    elif len(opened) > 1:
        raise BadInput("several images would get one tag", "", "name one with --platform")
    judged = {one.manifest.digest for one in opened}
    found = _manifests(top, first.place, judged, _DEEPEST)
    manifests = tuple({manifest.digest: manifest for manifest in found}.values())
    blobs: dict[str, Descriptor] = {}
    for manifest in manifests:
        for blob in _blobs(manifest):
            blobs.setdefault(blob.digest, blob)
    return Plan(top, tuple(blobs.values()), manifests)


def _manifests(
    top: Manifest | Index, place: Repository, judged: set[str], depth: int
) -> Iterator[Manifest | Index]:
    if isinstance(top, Manifest):
        if top.digest not in judged and not _attached(top):
            what = f"{top.digest} was not judged"
            why = "its index lists it for no platform, as builders list what they attest"
            raise Refused(what, f"{why}, and it holds layers", "build the index anew")
        yield top
        return
    if depth < 1:
        raise BadInput(f"cannot push {top.digest}", "its indexes are nested too deeply")
    for child in top.manifests:
        raw, media = place.manifest(child.digest)
        found = parse_manifest(raw, media or child.media, child.digest)
        yield from _manifests(found, place, judged, depth - 1)
    yield top


def _attached(manifest: Manifest) -> bool:
    """Whether it holds statements and nothing that could run."""
    return bool(manifest.layers) and all(layer.media == IN_TOTO for layer in manifest.layers)


def _blobs(manifest: Manifest | Index) -> Iterator[Descriptor]:
    if isinstance(manifest, Index):
        return
    for descriptor in (*manifest.layers, manifest.config):
        if "nondistributable" in descriptor.media or "foreign" in descriptor.media:
            why = "its bytes lie elsewhere (a foreign layer), and were never judged"
            raise BadInput(f"cannot push {descriptor.digest}", why)
        yield descriptor


def push(planned: Plan, place: Repository, target: Registry, progress: Progress) -> Moved:
    """Puts everything under its digest: no tag leads there yet. A second run sends no blob."""
    counts = {"sent": 0, "mounted": 0, "there": 0}
    neighbour = _neighbour(place, target)
    for number, blob in enumerate(planned.blobs, 1):
        progress(f"pushing to {target.image.name}", number, len(planned.blobs))
        read = partial(place.blob, blob)
        how = target.upload(blob.digest, blob.size, read, mount_from=neighbour)
        counts[how] += 1
    for manifest in planned.manifests:
        steady(partial(target.put, manifest.raw, manifest.media))
    return Moved(planned.top.digest, **counts)


def _neighbour(place: Repository, target: Registry) -> str:
    """A repository of the same registry, which blobs can be mounted from."""
    if isinstance(place, Registry) and place.image.registry == target.image.registry:
        return place.image.repository
    return ""


def arrive(
    planned: Plan,
    judged: Sequence[Judged],
    target: Registry,
    key: PrivateKey,
    started: datetime,
    approve: Callable[[], None],
    progress: Progress,
) -> Moved:
    """All of a promotion in its order: blobs, manifests, signature, attestations, what `approve`
    writes, and the tag, which stays where it was if anything before fails. Each step can be
    repeated.
    """
    moved = push(planned, judged[0].opened.place, target, progress)
    progress(f"signing {target.image.name}@{moved.digest}")
    vouch(target, judged, planned.top, key, datetime.now(UTC), started)
    approve()
    tag = target.image.tag or "latest"
    steady(lambda: target.point(tag, planned.top.raw, planned.top.media))
    return moved


def steady(step: Callable[[], object]) -> None:
    """Repeats a step that fails at once: registries stumble where two write the same tag, or name
    what the other just replaced. What has taken long was tried long enough already.
    """
    begun = time.monotonic()
    for attempt in itertools.count(1):
        try:
            step()
            return
        except (Unreachable, BadInput) as error:
            passing = type(error) is Unreachable or (isinstance(error, BadInput) and attempt < 6)
            if not passing or time.monotonic() - begun > _STEADY:
                raise
        time.sleep(min(0.05 * 2**attempt, 1.0) * (0.5 + random.random()))  # noqa: S311


def vouch(
    target: Registry,
    judged: Sequence[Judged],
    top: Manifest | Index,
    key: PrivateKey,
    at: datetime,
    started: datetime,
) -> None:
    """Signs each image, and attests its vulnerabilities, its contents and the verdict; of an index
    that is pushed whole the verdict on all of it. All of it is read back from there.
    """
    moment, begun = (
        one.isoformat(timespec="seconds").replace("+00:00", "Z") for one in (at, started)
    )
    for one in judged:
        inventory = msgspec.structs.replace(one.examined.inventory, name=target.image.name)
        examined = msgspec.structs.replace(one.examined, inventory=inventory)
        said = (
            ("vuln", attesting.vulnerability_predicate(examined, moment, begun)),
            ("cyclonedx", attesting.bill_predicate(examined, at)),
            ("verdict", attesting.verdict_predicate(one.judgements)),
        )
        _say(target, one.opened.manifest, said, key, at)
    if isinstance(top, Index):
        verdict = attesting.verdict_predicate(on_index(judged, top.digest))
        _say(target, top, (("verdict", verdict),), key, at)


def _say(
    target: Registry,
    manifest: Manifest | Index,
    said: Sequence[tuple[str, Any]],
    key: PrivateKey,
    at: datetime,
) -> None:
    subject = Descriptor(manifest.media, manifest.digest, len(manifest.raw))
    steady(lambda: signing.sign(target, manifest.digest, key))
    steady(lambda: vouching.attest(target, subject, said, key, at))
