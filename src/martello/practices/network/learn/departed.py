"""Pods that are over, or that only an earlier state holds: their flows are evidence too."""

from __future__ import annotations

from typing import Any

from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.network.model import Endpoint
from martello.practices.network.world import endpoint_of


def departed(pod: Resource, cluster: Cluster) -> Endpoint:
    """The endpoint that a pod was. The world holds no pods that are over, so it is asked about one
    that runs; the owners are looked up in the state the pod was in.
    """
    running = Resource(
        {**pod.raw, "status": {**_status(pod), "phase": "Running"}}, pod.ref, pod.origin
    )
    found = endpoint_of(running, cluster)
    if found is None:  # pragma: no cover - a running Pod is always an endpoint
        raise AssertionError(pod.ref)
    return found


def _status(pod: Resource) -> dict[str, Any]:
    status = pod.raw.get("status")
    return status if isinstance(status, dict) else {}
