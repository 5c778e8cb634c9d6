"""MON-007: nodes on which no sensor runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.image import parse_image
from martello.core.resource import Resource
from martello.core.workload import Workload
from martello.practices.monitor.placement import Malformed, runs_on

_SENSORS: Final = (
    "aquasec/tracee",
    "cilium/tetragon",
    "falcosecurity/falco",
    "falcosecurity/falco-no-driver",
    "kubearmor/kubearmor",
    "sysdig/agent",
)


@check(
    "MON-007",
    severity="medium",
    kinds=("DaemonSet.apps",),
    needs=("Node",),
    params={
        "images": {
            "type": "array",
            "items": {"type": "string"},
            "default": list(_SENSORS),
            "doc": "repositories of the sensors that watch nodes",
        }
    },
    fix="Add tolerations for the taints of these nodes, and widen selector and affinity.",
    frameworks={"nsa-cisa": ["audit-logging"], "mitre-attack": ["T1562"], "owasp-k8s": ["K05"]},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Node, metadata: {name: one},
              spec: {taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet,
              metadata: {name: falco}, spec: {template: {spec: {
              tolerations: [{operator: Exists}],
              containers: [{name: c, image: "falcosecurity/falco:0.39.0"}]}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Node, metadata: {name: one, labels: {size: small}}}
            ---
            {apiVersion: v1, kind: Node, metadata: {name: two, labels: {size: big}}}
            ---
            {apiVersion: v1, kind: Node, metadata: {name: three,
              labels: {kubernetes.io/os: windows}}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a}, spec: {template: {spec: {
              nodeSelector: {size: small}, containers: [{name: c,
                image: "falcosecurity/falco:1"}]}}}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: b}, spec: {template: {spec: {
              nodeSelector: {size: big}, containers: [{name: c, image: "falcosecurity/falco:1"}]}}}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: c}, spec: {template: {spec: {
              nodeSelector: {size: none}, containers: [{name: c, image: "proxy:1"}]}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Node, metadata: {name: one},
              spec: {taints: [{key: gpu, value: a, effect: NoSchedule}]}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet,
              metadata: {name: falco}, spec: {template: {spec: {
              tolerations: [{key: gpu, value: b}],
              containers: [{name: c, image: "docker.io/falcosecurity/falco:0.39.0"}]}}}}
            """,
            at="spec.template.spec",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Node, metadata: {name: one, labels: {arch: x}}}
            ---
            {apiVersion: v1, kind: Node, metadata: {name: two, labels: {arch: y}}}
            ---
            {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: own}, spec: {template: {spec: {
              affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{matchExpressions: [
                  {key: arch, operator: In, values: [x]}]}]}}},
              containers: [{name: c, image: "r.example.com/own/sensor:1"}]}}}}
            """,
            at="spec.template.spec",
            params={"images": ["own/sensor"]},
        ),
    ),
)
def sensor_does_not_cover_nodes(
    daemon: Resource, cluster: Cluster, *, params: Mapping[str, Any]
) -> Iterator[Hit]:
    """Nodes on which no sensor runs.

    What happens in the containers of such a node is seen by nobody, and an attacker who may
    choose a node chooses this one. Mostly it is a taint that the sensor does not tolerate.
    """
    sensors = _sensors(cluster, tuple(params["images"]))
    if not sensors or sensors[0].resource is not daemon:
        return
    path = sensors[0].path
    bare: list[str] = []
    try:
        for node in cluster.of_kind("Node"):
            windows = node.labels.get("kubernetes.io/os") == "windows"
            if not windows and not any(runs_on(sensor, node) for sensor in sensors):
                bare.append(node.ref.name)
    except Malformed as error:
        yield Hit(daemon, path, str(error), unassessed=True)
        return
    if "Node" in cluster.unlisted:
        reason = f"nodes could not be read: {cluster.unlisted['Node']}"
        yield Hit(daemon, path, reason, unassessed=True)
    elif bare:
        more = f" and {len(bare) - 3} more" if len(bare) > 3 else ""
        yield Hit(daemon, path, f"no sensor runs on {', '.join(sorted(bare)[:3])}{more}")


@lru_cache(maxsize=2)
def _sensors(cluster: Cluster, images: tuple[str, ...]) -> list[Workload]:
    """Every DaemonSet that is a sensor; the first by name speaks for all."""
    found = [
        workload
        for resource in cluster.of_kind("DaemonSet.apps")
        if (workload := cluster.workload(resource)) and _is_sensor(workload, images)
    ]
    return sorted(found, key=lambda workload: workload.resource.ref)


def _is_sensor(workload: Workload, images: tuple[str, ...]) -> bool:
    for container in workload.containers:
        image = container.raw.get("image")
        reference = parse_image(image) if isinstance(image, str) else None
        if reference and any(f"/{reference.repository}".endswith(f"/{name}") for name in images):
            return True
    return False
