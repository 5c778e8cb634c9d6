"""What `martello scan` knows of images: the ledger, where there is one, and the image policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from martello.cli.images.settings import places
from martello.core.errors import MartelloError
from martello.core.finding import Unassessed
from martello.core.reading import Reading

if TYPE_CHECKING:
    from martello.core.approval import Approvals
    from martello.practices.images.ledger import ImageFacts
    from martello.practices.images.policy import ImagePolicy
    from martello.store.state import State


class ImageSettings(msgspec.Struct, frozen=True):
    """Where to look: the ledger's URL (empty: the default place), files of policies, and files of
    public keys whose approvals count.
    """

    state: str = ""
    policies: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()


class World(msgspec.Struct, frozen=True):
    """What a scan of one target is handed besides its objects."""

    facts: Mapping[str, Any] = {}
    params: Mapping[str, Mapping[str, Any]] = {}
    unassessed: tuple[Unassessed, ...] = ()


def world(reading: Reading, settings: ImageSettings) -> World:
    """Facts of the ledger about the images that a target names. Nothing heavy is imported where
    there is neither a ledger nor a policy. Raises BadInput for a policy or key that cannot be used,
    and what the store raises where it was named.
    """
    policies = _policies(settings)
    listed = [pattern for policy in policies for pattern in policy.spec.repositories]
    params = {"IMG-006": {"repositories": listed}} if listed else {}
    signers = tuple(policy for policy in policies if policy.spec.signed.by)
    facts: dict[str, Any] = {"signers": signers} if signers else {}
    if not _exists(places("", settings.state).state):
        return World(facts, params)
    try:
        more, unassessed = _ledger(reading, settings, policies)
    except MartelloError as error:
        if settings.state:
            raise
        why = f"the ledger of images could not be read: {error.what}: {error.why}"
        return World(facts, params, (Unassessed(why, asked=False),))
    return World({**facts, **more}, params, unassessed)


def _policies(settings: ImageSettings) -> tuple[ImagePolicy, ...]:
    if not settings.policies:
        return ()
    from martello.cli.images.policies import load_policies

    return load_policies(settings.policies)


def _exists(url: str) -> bool:
    """Whether there can be anything: a file of SQLite that is not there is not made."""
    kind, _, file = url.partition(":///")
    return kind != "sqlite" or bool(file and Path(file).is_file())


def _ledger(
    reading: Reading, settings: ImageSettings, policies: tuple[ImagePolicy, ...]
) -> tuple[dict[str, Any], tuple[Unassessed, ...]]:
    from martello.store.state import open_state

    url = places("", settings.state).state
    with open_state(url) as state:
        facts: dict[str, Any] = {"images": _images(state, reading, policies)}
        try:
            approvals = _approvals(state, url, settings.approvers, policies)
        except MartelloError as error:
            reason = f"{error.what}: {error.why}"
            return facts, tuple(Unassessed(reason, check=id) for id in ("IMG-014", "IMG-020"))
    if approvals is not None:
        facts["approvals"] = approvals
    return facts, ()


def _images(state: State, reading: Reading, policies: tuple[ImagePolicy, ...]) -> ImageFacts:
    from martello.core.approval import micros
    from martello.core.image import parse_image
    from martello.practices.images.ledger import (
        ImageFacts,
        ImageSummary,
        references,
        running,
        statuses,
    )
    from martello.store import inventories

    cluster = reading.world()
    names = references(reading.resources, cluster)
    tags = inventories.observed(state, names)
    runs = running(cluster)
    digests = {digest for some in runs.values() for digest in some}
    digests.update(d for pod in cluster.of_kind("Pod") for d in statuses(pod).values())
    digests.update(observed.digest for some in tags.values() for observed in some[-1:])
    parsed = (parse_image(name) for name in names)
    digests.update(image.digest for image in parsed if image is not None and image.digest)
    scanned = inventories.said(state, digests, ImageSummary)
    return ImageFacts(micros(datetime.now(UTC)), scanned, tags, runs, policies)


def _approvals(
    state: State, url: str, approvers: Sequence[str], policies: tuple[ImagePolicy, ...]
) -> Approvals | None:
    """The decisions of the keys that are trusted; None where there are none."""
    from martello.store import approvals

    if not approvals.count(state):
        return None
    from martello.cli.images.keeping import issuer_of, seen_heads
    from martello.cli.images.policies import keys_of
    from martello.cli.images.signing import verifying_keys

    keys = [*verifying_keys(approvers), *(k for some in keys_of(policies).values() for k in some)]
    trusted = {issuer_of(key): (key,) for key in keys}
    if not trusted:
        return None
    found = approvals.snapshot(state, trusted, seen=seen_heads(url))
    return found if found.version else None
