"""What the ledger knows of images, as facts that checks of objects read: pure, and small."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from martello.core.approval import Observed, Reason
from martello.core.check import Hit
from martello.core.cluster import Cluster
from martello.core.image import ImageReference, parse_image
from martello.core.package import Inventory, Unread
from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.vulnerability import LEVELS, Data, Match, Ruled
from martello.core.workload import Container, Workload
from martello.practices.images.policy import ImagePolicy

_WORST: Final = 5
_EXPLOITED: Final = 20
_FEW: Final = 3
_HOUR: Final = 3_600_000_000
_DIGEST: Final = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\Z")
_NO_DATE: Final = "1990"  # builders that leave dates out write 0001, 1970 or 1980
_STATUSES: Final = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


class Known(msgspec.Struct, frozen=True):
    """One vulnerability of one package, as a person must know it."""

    id: str
    package: str
    version: str
    severity: str
    fixed: str = ""
    exploited: str = ""  # since when


class Vouched(msgspec.Struct, frozen=True):
    """What a policy misses of signatures and attestations; no reasons: nothing."""

    policy_hash: str
    keys_hash: str
    missing: tuple[Reason, ...] = ()


class ImageSummary(msgspec.Struct, frozen=True):
    """What the last scan of an image said. Times are microseconds since 1970, UTC."""

    name: str
    digest: str
    scanned_at: int
    index: str = ""
    config: str = ""
    platform: str = ""
    system: str = ""
    data: str = ""  # digest of the advisory database; empty: there was none
    hours: float = -1.0  # how old its feeds were at the scan
    counts: tuple[tuple[str, int], ...] = ()  # vulnerabilities that nobody waived, by level
    fixable: int = 0
    worst: tuple[Known, ...] = ()
    exploited: tuple[Known, ...] = ()
    end_of_life: str = ""  # of its system; ISO date, the last day with fixes
    leaks: int = 0
    leaked: tuple[str, ...] = ()  # the first of them: where and what
    user: str = ""
    based: str = ""  # when its base was built (RFC 3339); empty: nobody knows
    licences: tuple[tuple[str, tuple[str, ...]], ...] = ()  # each with the first packages
    unread: tuple[str, ...] = ()  # the first reasons
    vouched: tuple[Vouched, ...] = ()


class ImageFacts(msgspec.Struct, frozen=True):
    """What a scan of objects gets: summaries by digest, digests of tags, policies."""

    at: int
    scanned: Mapping[str, tuple[ImageSummary, ...]] = {}  # of an index: each of its images
    tags: Mapping[str, tuple[Observed, ...]] = {}  # canonical name:tag → digests, newest last
    running: Mapping[str, tuple[str, ...]] = {}  # canonical reference → digests of running pods
    policies: tuple[ImagePolicy, ...] = ()


class Use(msgspec.Struct, frozen=True):
    """One container, the image that it names, and what is known of it."""

    container: Container
    image: str
    digest: str = ""  # empty: nobody knows which
    summaries: tuple[ImageSummary, ...] = ()

    @property
    def path(self) -> Path:
        """Where the image is named."""
        return (*self.container.path, "image")


def summarise(
    inventory: Inventory,
    ruled: Iterable[Ruled],
    unread: Sequence[Unread],
    data: Data,
    *,
    at: int,
    end_of_life: str = "",
    vouched: tuple[Vouched, ...] = (),
) -> ImageSummary:
    """The summary of a scan. What somebody waived is not counted."""
    matches = [one.match for one in ruled if one.waived is None]
    exploited = [match for match in matches if match.exploited]
    plain = sorted((match for match in matches if not match.exploited), key=_badness)
    counted = [(level, sum(1 for m in plain if m.severity == level)) for level in LEVELS]
    system = inventory.system
    platform = inventory.platform
    return ImageSummary(
        name=inventory.name,
        digest=inventory.digest,
        scanned_at=at,
        index=inventory.index,
        config=inventory.config,
        platform=str(platform) if platform is not None else "",
        system=(system.name or f"{system.id} {system.version}".strip()) if system else "",
        data=data.digest,
        hours=data.hours if data.hours < 1e9 else 1e9,
        counts=tuple((level, number) for level, number in counted if number),
        fixable=sum(1 for match in plain if match.fixed),
        worst=tuple(map(_known, plain[:_WORST])),
        exploited=tuple(map(_known, exploited[:_EXPLOITED])),
        end_of_life=end_of_life,
        leaks=len(inventory.leaks),
        leaked=tuple(_text(f"{leak.path}: {leak.title}") for leak in inventory.leaks[:_FEW]),
        user=_text(inventory.user),
        based=_based(inventory),
        licences=_licences(inventory),
        unread=tuple(_text(str(one)) for one in dict.fromkeys(unread))[:_WORST],
        vouched=vouched,
    )


def uses(workload: Workload, facts: ImageFacts) -> Iterator[Use]:
    """The containers of a workload with what is known of their images: by the digest that runs
    (of a pod), that is written, that pods of this reference run, or that the tag meant last.
    """
    running = statuses(workload.resource) if workload.resource.ref.kind == "Pod" else {}
    for container in workload.containers:
        image = container.raw.get("image")
        reference = parse_image(image) if isinstance(image, str) else None
        if not isinstance(image, str) or reference is None:
            continue
        known = _digests(reference, running.get(container.name, ""), facts)
        found = [digest for digest in known if digest in facts.scanned]
        for digest in found or known[:1] or ("",):
            yield Use(container, image, digest, facts.scanned.get(digest, ()))


def _digests(reference: ImageReference, runs: str, facts: ImageFacts) -> Sequence[str]:
    """The digests that a container runs, as far as anybody knows. What a tag meant tells nothing
    where it is known what runs.
    """
    if runs or reference.digest:
        named = (runs,) if runs in facts.scanned else (runs, reference.digest)
        return tuple(filter(None, named))
    name = str(reference)
    return facts.running.get(name) or tuple(one.digest for one in facts.tags.get(name, ())[-1:])


def scanned(
    workload: Workload, cluster: Cluster, facts: Mapping[str, Any]
) -> tuple[list[tuple[Use, ImageSummary]], list[Hit]]:
    """The images of a workload that were scanned; and, for those that were not, hits without a
    verdict. Pods say nothing of these: whatever makes them does.
    """
    images: ImageFacts = facts["images"]
    found: list[tuple[Use, ImageSummary]] = []
    missing: list[Hit] = []
    owned = cluster.owner(workload.resource) is not None
    for use in uses(workload, images):
        found += [(use, summary) for summary in use.summaries]
        if not use.summaries and not owned:
            missing.append(unasked(workload, use, f"{use.image[:200]} was never scanned"))
    return found, missing


def unasked(workload: Workload, use: Use, why: str) -> Hit:
    """No verdict on an image; nobody asked for one, for `scan` reads no images."""
    return Hit(workload.resource, use.path, why, unassessed=True, asked=False)


def age(summary: ImageSummary, at: int) -> float:
    """How old the advisories are, on which the last scan rests, in hours."""
    return summary.hours + max(0, at - summary.scanned_at) / _HOUR


def statuses(pod: Resource) -> dict[str, str]:
    """The digests that the containers of a pod run, by the container's name: the runtime names an
    index, an image, or its configuration.
    """
    named = ((name, digest_in(image_id)) for name, image_id in image_ids(pod).items())
    return {name: digest for name, digest in named if digest}


def image_ids(pod: Resource) -> dict[str, str]:
    """What the node calls the image of each container, as it is written in the pod's status."""
    found: dict[str, str] = {}
    status = pod.raw.get("status")
    for key in _STATUSES:
        listed = status.get(key) if isinstance(status, dict) else None
        for entry in listed if isinstance(listed, list) else ():
            if not isinstance(entry, dict):
                continue
            name, image_id = entry.get("name"), entry.get("imageID")
            if isinstance(name, str) and isinstance(image_id, str) and image_id:
                found[name] = image_id
    return found


def digest_in(image_id: str) -> str:
    """The digest at the end of an image ID, whatever the runtime writes before it."""
    match = _DIGEST.search(image_id)
    return match.group() if match else ""


def references(resources: Iterable[Resource], cluster: Cluster) -> frozenset[str]:
    """The canonical references of all images that objects name."""
    found: set[str] = set()
    for resource in resources:
        workload = cluster.workload(resource)
        for container in workload.containers if workload is not None else ():
            image = container.raw.get("image")
            reference = parse_image(image) if isinstance(image, str) else None
            if reference is not None:
                found.add(str(reference))
    return frozenset(found)


def running(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """Which digests run under each reference, as the pods of a live cluster say."""
    found: dict[str, dict[str, None]] = {}
    for pod in cluster.of_kind("Pod"):
        digests = statuses(pod)
        workload = cluster.workload(pod) if digests else None
        for container in workload.containers if workload is not None else ():
            digest = digests.get(container.name)
            image = container.raw.get("image")
            reference = parse_image(image) if digest and isinstance(image, str) else None
            if digest and reference is not None:
                found.setdefault(str(reference), {})[digest] = None
    return {name: tuple(digests) for name, digests in found.items()}


def _badness(match: Match) -> tuple[int, int, str, str]:
    """Worst first; of two alike the one with a fix."""
    return LEVELS.index(match.severity), 0 if match.fixed else 1, match.id, match.package.name


def _known(match: Match) -> Known:
    package = match.package
    return Known(
        match.id,
        _text(package.source or package.name),
        _text(match.compared or package.version),
        match.severity,
        _text(match.fixed),
        match.exploited,
    )


def _based(inventory: Inventory) -> str:
    """The lowest layer is the base: its date counts, else the image's."""
    dates = (inventory.layers[0].created if inventory.layers else "", inventory.created)
    return next((_text(date) for date in dates if date >= _NO_DATE), "")


def _licences(inventory: Inventory) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, list[str]] = {}
    for package in inventory.packages:
        for licence in package.licences:
            held = found.setdefault(_text(licence), [])
            if len(held) < _FEW:
                held.append(_text(package.name))
    return tuple((licence, tuple(found[licence])) for licence in sorted(found))


def _text(text: str) -> str:
    """What JSON can hold: names in layers need not be text."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
