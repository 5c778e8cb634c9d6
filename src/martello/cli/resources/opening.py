"""The world that a question about resources is about, as it was read."""

from __future__ import annotations

from typing import Any

import msgspec

from martello.cli.one_world import read_one
from martello.cli.progress import Progress
from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.path import Path
from martello.core.reading import Reading
from martello.core.resource import Resource


class Opened(msgspec.Struct, frozen=True, eq=False):
    """One world, ready to be asked. `missing` says what of it could not be read."""

    reading: Reading
    cluster: Cluster
    missing: tuple[str, ...] = ()


def opened(flags: dict[str, Any]) -> Opened:
    """Reads the world that the flags name. Raises BadInput, also where it holds no objects;
    Unreachable, NotPermitted.
    """
    with Progress() as progress:
        reading = read_one(flags["files"], flags, progress)
    missing = missing_of(reading)
    if not reading.resources:
        raise BadInput(
            f"nothing to ask in {reading.target}",
            "; ".join(missing[:3]) or "it holds no Kubernetes objects",
            "name a directory with manifests, demo, or a cluster",
        )
    return Opened(reading, reading.world(), missing)


def missing_of(reading: Reading) -> tuple[str, ...]:
    """What could not be read of what was asked for."""
    return tuple(
        f"{entry.location or entry.ref or reading.target}: {entry.reason}"
        for entry in reading.unassessed
        if entry.asked
    )


def called(resource: Resource) -> str:
    """`ResourceQuota shop/compute`."""
    ref = resource.ref
    name = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
    return f"{ref.kind} {name}".rstrip()


def place(resource: Resource, path: Path = ()) -> str:
    """File and line; nothing for an object of a live cluster: its name tells it."""
    found = resource.locate(path)
    if found.line:
        return f"{found.file}:{found.line}"
    return "" if found.file.startswith("cluster:") else found.file
