"""The cluster that a question is about: read, with the network plugin's ways, as one Reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from martello.cli.network.revision import is_revision, read_revision
from martello.cli.progress import Progress
from martello.cli.readings import Source, read_targets
from martello.cli.target import Target, in_context, parse_target
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.reading import Reading
from martello.core.resource import Resource

if TYPE_CHECKING:
    from martello.practices.network.engine.reach import Reach
    from martello.practices.network.model import Profile


class Opened(msgspec.Struct, frozen=True, eq=False):
    """One cluster, ready to be asked. `missing` says what of it could not be read."""

    reading: Reading
    cluster: Cluster
    profile: Profile
    reach: Reach
    missing: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What makes some answers unknown, each said once."""
        return tuple(dict.fromkeys((*self.missing, *self.reach.notes)))


def opened(flags: dict[str, Any]) -> Opened:
    """Reads the cluster that the flags name. Raises BadInput, also where the API server would
    refuse a policy; Unreachable, NotPermitted.
    """
    with Progress() as progress:
        reading = read_one(flags["files"], flags, progress)
        progress("compiling policies")
        return opened_reading(reading, flags)


def opened_reading(reading: Reading, flags: dict[str, Any]) -> Opened:
    """What was read, as one Reach. Raises BadInput where a policy would be refused."""
    from martello.practices.network.dialects.read import refuse
    from martello.practices.network.engine.reach import reach

    cluster = reading.world()
    profile = profile_of(cluster, reading, flags)
    found = reach(cluster, profile)
    refuse(found.policies)
    missing = tuple(
        f"{entry.location or entry.ref or reading.target}: {entry.reason}"
        for entry in reading.unassessed
        if entry.asked
    )
    if not cluster.resources:
        raise BadInput(
            f"nothing to ask in {reading.target}",
            "; ".join(missing[:3]) or "it holds no Kubernetes objects",
            "name a directory with manifests, demo, or a cluster",
        )
    return Opened(reading, cluster, profile, found, missing)


def profile_of(cluster: Cluster, reading: Reading, flags: dict[str, Any]) -> Profile:
    """The plugin's ways: what --cni names, else what the objects of a live cluster show. Raises
    BadInput.
    """
    from martello.practices.network.profiles import detect, profile

    pods, services = tuple(flags["pod_ranges"]), tuple(flags["service_ranges"])
    if flags["cni"]:
        return profile(flags["cni"], pods, services)
    found = detect(cluster) if reading.cluster else profile("", pods, services)
    return msgspec.structs.replace(
        found,
        pod_ranges=pods or found.pod_ranges,
        service_ranges=services or found.service_ranges,
    )


def read_one(words: tuple[str, ...], flags: dict[str, Any], progress: Progress) -> Reading:
    """One reading of everything that is named. Raises BadInput where these are several clusters."""
    revisions = [word for word in words if is_revision(word)]
    if revisions:
        if len(words) > 1:
            raise BadInput(
                "a revision is read alone", f"{len(words)} targets are named", "name one with -f"
            )
        return read_revision(revisions[0])
    source = Source(kubeconfig=flags["kubeconfig"])
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
            "name one with -f, or several with --fleet FILE",
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
