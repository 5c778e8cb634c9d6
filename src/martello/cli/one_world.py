"""What is named by -f as one world: files, a revision, a bundle, a cluster, or files beside one."""

from __future__ import annotations

from typing import Any

import msgspec

from martello.cli.progress import Progress
from martello.cli.readings import Source, read_targets
from martello.cli.revision import is_revision, read_revision
from martello.cli.target import Target, in_context, parse_target
from martello.core.errors import BadInput
from martello.core.reading import Reading
from martello.core.resource import Resource


def read_one(words: tuple[str, ...], flags: dict[str, Any], progress: Progress) -> Reading:
    """One reading of everything that is named. Raises BadInput where these are several clusters."""
    revisions = [word for word in words if is_revision(word)]
    if revisions:
        if len(words) > 1:
            raise BadInput(
                "a revision is read alone", f"{len(words)} targets are named", "name one with -f"
            )
        return read_revision(revisions[0])
    source = Source(kubeconfig=flags["kubeconfig"], own=flags.get("own"))
    readings = read_targets(_targets(words, flags["context"]), source, progress)
    return _joined(readings)


def _joined(readings: list[Reading]) -> Reading:
    """Several readings as one world: files beside a cluster, a bundle or the demo are what would be
    applied there, in the place of objects of the same names. Raises BadInput for two clusters.
    """
    live = [r for r in readings if r.cluster or r.kubernetes is not None]
    if len(live) > 1:
        raise BadInput(
            "these are several clusters",
            f"{', '.join(r.target for r in live)} are {len(live)} worlds",
            "name one with -f (of several asks: network --fleet FILE)",
        )
    if len(readings) == 1:
        return readings[0]
    files = [r for r in readings if r not in live]
    files.sort(key=lambda r: r.target != "demo")
    base, *more = [*live, *files]
    placed = [_placed(r, base) for reading in more for r in reading.resources]
    new = {r.ref for r in placed}
    return msgspec.structs.replace(
        base,
        target=" ".join(r.target for r in (base, *more)),
        resources=(*(r for r in base.resources if r.ref not in new), *placed),
        unassessed=tuple(u for r in (base, *more) for u in r.unassessed),
        files=sum(r.files for r in (base, *more)),
    )


def _placed(resource: Resource, base: Reading) -> Resource:
    """An object as one of another cluster."""
    ref = msgspec.structs.replace(resource.ref, cluster=base.cluster)
    return msgspec.structs.replace(resource, ref=ref)


def _targets(words: tuple[str, ...], context: str | None) -> list[Target]:
    if not words:
        return [Target("cluster", context or "")]
    targets = [parse_target(word) for word in words]
    return in_context(targets, context) if context else targets
