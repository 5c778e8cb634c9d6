"""What an adapter read from a target: objects, and what could not be read, counted and named."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from martello.core.cluster import Cluster
from martello.core.finding import Unassessed
from martello.core.focus import Focus
from martello.core.resource import Resource
from martello.core.version import NEWEST


class Reading(msgspec.Struct, frozen=True, eq=False):
    """The outcome of reading one target. Nothing that was given is lost: it is an object here,
    counted, or unassessed.
    """

    target: str
    resources: tuple[Resource, ...]
    unassessed: tuple[Unassessed, ...] = ()
    unlisted: Mapping[str, str] = {}  # `Kind.group` → why it could not be listed
    files: int = 0
    foreign: int = 0  # YAML or JSON documents that are no Kubernetes objects
    partial: int = 0  # kustomizations, patches, values: no complete objects, not judged
    kubernetes: int | None = None  # the server's minor version, where there is a server
    cluster: str = ""  # the cluster's name, empty for files
    namespaces: tuple[str, ...] = ()  # of a live cluster only these were read; empty: all
    focus: Focus = Focus()  # what of it is judged
    complete: bool = True  # false: a part of what will run, so what it lacks may be elsewhere

    def world(self, kubernetes: int | None = None) -> Cluster:
        """The objects as an indexed Cluster."""
        if kubernetes is None:
            kubernetes = NEWEST if self.kubernetes is None else self.kubernetes
        return Cluster(
            self.resources,
            name=self.cluster,
            unlisted=self.unlisted,
            kubernetes=kubernetes,
            read=self.namespaces,
            complete=self.complete,
        )
