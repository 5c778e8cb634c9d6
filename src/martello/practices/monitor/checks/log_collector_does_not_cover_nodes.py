"""MON-011: nodes whose logs nobody collects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.image import parse_image
from martello.core.path import look_up
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.monitor.placement import Malformed, runs_on

_DAEMONS: Final = "DaemonSet.apps"
# Where kubelets and runtimes keep the logs of containers.
_LOGS: Final = frozenset(
    ("/var/log", "/var/log/containers", "/var/log/pods", "/var/lib/docker/containers")
)
_OTHERS: Final = ("node-problem-detector",)


@check(
    "MON-011",
    severity="low",
    profile="strict",
    kinds=("Node",),
    needs=(_DAEMONS,),
    params={
        "ignored": {
            "type": "array",
            "items": {"type": "string"},
            "default": list(_OTHERS),
            "doc": "last parts of the names of images that mount logs and do not collect them",
        }
    },
    fix="Run a log collector as a DaemonSet that tolerates the taints of every node.",
    frameworks={"nsa-cisa": ["audit-logging"], "mitre-attack": ["T1070"], "owasp-k8s": ["K05"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Node, metadata: {name: one}}
            ---
            {apiVersion: v1, kind: Node, metadata: {name: two,
              labels: {kubernetes.io/os: windows}}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: collector},
              spec: {template: {spec: {
              containers: [{name: c, image: "fluent/fluent-bit:3",
                volumeMounts: [{name: logs, mountPath: /logs, readOnly: true}]}],
              volumes: [{name: logs, hostPath: {path: /var/log/}}]}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Node, metadata: {name: one},
              spec: {taints: [{key: gpu, value: a, effect: NoSchedule}]}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: collector},
              spec: {template: {spec: {tolerations: [{operator: Exists}],
              containers: [{name: a, image: "own/agent:1"}, {name: c, image: "own/collector:1",
                volumeMounts: [{name: logs, mountPath: /logs, readOnly: true}]}],
              volumes: [{name: logs, hostPath: {path: /var//log/containers}}]}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Node, metadata: {name: one},
              spec: {taints: [{key: gpu, value: a, effect: NoSchedule}]}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: collector},
              spec: {template: {spec: {
              containers: [{name: c, image: "own/collector:1",
                volumeMounts: [{name: logs, mountPath: /logs}]}],
              volumes: [{name: logs, hostPath: {path: /var/log/pods}}]}}}}
            """,
            at="metadata.name",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Node, metadata: {name: one}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a}, spec: {template: {spec: {
              containers: [{name: c, image: "k8s/node-problem-detector:v1",
                volumeMounts: [{name: logs, mountPath: /logs}]}],
              volumes: [{name: logs, hostPath: {path: /var/log}}]}}}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: b}, spec: {template: {spec: {
              containers: [{name: c, image: "own/proxy:1",
                volumeMounts: [{name: own, mountPath: /logs}]}],
              volumes: [{name: own, hostPath: {path: /var/log/proxy}},
                {name: logs, hostPath: {path: /var/log}}]}}}}
            """,
            at="metadata.name",
        ),
    ),
)
def log_collector_does_not_cover_nodes(
    node: Resource, cluster: Cluster, *, params: Mapping[str, Any]
) -> Iterator[Hit]:
    """Nodes whose logs nobody collects.

    The logs of containers lie on their node, and go with it or with the pod: whoever deletes the
    pod deletes what it told. A DaemonSet that mounts the node's log directory is taken for a
    collector; one that runs on the node outside of Kubernetes cannot be seen.
    """
    if node.labels.get("kubernetes.io/os") == "windows":
        return
    path = ("metadata", "name")
    try:
        collectors = _collectors(cluster, tuple(params["ignored"]))
        if any(runs_on(one, node) for one in collectors):
            return
    except Malformed as error:
        yield Hit(node, path, str(error), unassessed=True)
        return
    if _DAEMONS in cluster.unlisted:
        reason = f"DaemonSets could not be read: {cluster.unlisted[_DAEMONS]}"
        yield Hit(node, path, reason, unassessed=True)
        return
    what = "none of the log collectors runs on it" if collectors else "nothing collects its logs"
    yield Hit(node, path, what)


@lru_cache(maxsize=2)
def _collectors(cluster: Cluster, ignored: tuple[str, ...]) -> tuple[Workload, ...]:
    """Every DaemonSet that mounts the logs of its node."""
    return tuple(
        workload
        for resource in cluster.of_kind(_DAEMONS)
        if (workload := cluster.workload(resource)) and _collects(workload, ignored)
    )


def _collects(workload: Workload, ignored: tuple[str, ...]) -> bool:
    volumes = workload.pod.get("volumes")
    logs = {
        name
        for volume in (volumes if isinstance(volumes, list) else ())
        if isinstance(volume, dict)
        and isinstance(name := volume.get("name"), str)
        and _of_logs(look_up(volume, ("hostPath", "path")))
    }
    for container in workload.containers:
        mounts = container.raw.get("volumeMounts")
        image = container.raw.get("image")
        reference = parse_image(image) if isinstance(image, str) else None
        called = reference.repository.rpartition("/")[2] if reference else ""
        if called not in ignored and any(
            isinstance(mount, dict) and isinstance(name := mount.get("name"), str) and name in logs
            for mount in (mounts if isinstance(mounts, list) else ())
        ):
            return True
    return False


def _of_logs(path: Any) -> bool:
    return isinstance(path, str) and "/" + "/".join(filter(None, path.split("/"))) in _LOGS
