"""Edits of pods: what is left behind when a mount goes."""

from __future__ import annotations

from typing import Any

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.paths.change import applied
from martello.paths.model import Change, Edit

SOCKET = {"name": "socket", "hostPath": {"path": "/run/docker.sock"}}
MOUNT = {"name": "socket", "mountPath": "/s"}
DATA = {"name": "data", "mountPath": "/d"}


def _after(*containers: dict[str, Any], at: int = 0) -> dict[str, Any]:
    """The pod's spec after the mount at a place of its first container was taken away."""
    spec = {"containers": list(containers), "volumes": [SOCKET, {"name": "data"}]}
    meta = {"name": "web", "namespace": "shop"}
    pod = resource_of(
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}, Nowhere()
    )
    change = Change(pod.ref, ("spec", "containers", 0, "volumeMounts", at), None)
    edited = applied(Cluster([pod]), [Edit("e", "no longer mounts", (change,), 3, "pod")])
    found: dict[str, Any] = next(iter(edited.resources)).raw["spec"]
    return found


def test_a_volume_that_nobody_mounts_any_more_goes() -> None:
    spec = _after({"name": "a", "volumeMounts": [DATA, MOUNT]}, at=1)
    assert spec["containers"][0]["volumeMounts"] == [DATA]
    assert spec["volumes"] == [{"name": "data"}]


def test_a_volume_that_another_container_has_stays() -> None:
    spec = _after({"name": "a", "volumeMounts": [MOUNT]}, {"name": "b", "volumeMounts": [MOUNT]})
    assert spec["volumes"] == [SOCKET, {"name": "data"}]
    spec = _after({"name": "a", "volumeMounts": [MOUNT], "volumeDevices": [{"name": "socket"}]})
    assert spec["volumes"] == [SOCKET, {"name": "data"}]
