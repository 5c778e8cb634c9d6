"""The cluster that a question about rights is about: read, with the roles it was born with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from martello.cli.one_world import read_one
from martello.cli.progress import Progress
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.reading import Reading

if TYPE_CHECKING:
    from martello.practices.access import Access


class Opened(msgspec.Struct, frozen=True, eq=False):
    """One cluster, ready to be asked. `missing` says what of it could not be read."""

    reading: Reading
    cluster: Cluster
    access: Access
    missing: tuple[str, ...] = ()


def opened(flags: dict[str, Any]) -> Opened:
    """Reads the cluster that the flags name. Raises BadInput, Unreachable, NotPermitted."""
    with Progress() as progress:
        reading = read_one(flags["files"], flags, progress)
        progress("compiling roles and bindings")
        return opened_reading(reading)


def state(word: str, flags: dict[str, Any]) -> Opened:
    """One of two states that are compared: a directory, a file, a bundle, a revision, a cluster."""
    return opened({**flags, "files": (word,), "context": None})


def opened_reading(reading: Reading) -> Opened:
    """What was read, ready to be asked. Raises BadInput where it holds no objects."""
    from martello.practices.access import access

    if not reading.resources:
        unread = next((one for one in reading.unassessed if one.asked), None)
        why = f"{unread.location or reading.target}: {unread.reason}" if unread else ""
        raise BadInput(
            f"nothing to ask in {reading.target}",
            why or "it holds no Kubernetes objects",
            "name a directory with manifests, demo, or a cluster",
        )
    cluster = world_of(reading)
    missing = tuple(
        f"{entry.location or entry.ref or reading.target}: {entry.reason}"
        for entry in reading.unassessed
        if entry.asked
    )
    return Opened(reading, cluster, access(cluster), missing)


def world_of(reading: Reading) -> Cluster:
    """The cluster of a reading; files get the roles that every API server makes by itself."""
    from martello.practices.access.defaults import with_defaults

    cluster = reading.world()
    live = reading.cluster or reading.kubernetes is not None
    return cluster if live else with_defaults(cluster)
