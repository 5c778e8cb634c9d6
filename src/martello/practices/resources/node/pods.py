"""The pods of a world: those that run, or those that its workloads are going to make."""

from __future__ import annotations

from collections.abc import Mapping

from martello.core.cluster import Cluster
from martello.practices.resources.node.model import Pod, Use


def pods(world: Cluster, use: Mapping[str, Use] | None = None) -> tuple[Pod, ...]:
    """All pods: of a live world (some pod is on a node) its pods that are not over, else the
    replicas of every workload, not placed, named `web-0`, `web-1`. `use` is by `namespace/pod` and
    `namespace/pod/container`. Raises BadInput for amounts that no server takes, and for too many.
    """
    raise NotImplementedError
