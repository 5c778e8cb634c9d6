"""The cluster that a question is about: read, with the network plugin's ways, as one Reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from martello.cli.one_world import read_one
from martello.cli.progress import Progress
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.reading import Reading

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
