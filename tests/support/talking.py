"""Workloads for a real cluster that really talk: each answers on its ports and calls the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_IMAGE = "docker.io/library/busybox:demo"
_CALL = """
while true; do
  for t in $TARGETS; do nc -w 2 ${t%:*} ${t#*:} </dev/null >/dev/null 2>&1; done
  sleep 1
done
"""


def namespace(name: str, **labels: str) -> dict[str, Any]:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def workload(
    place: str,
    *,
    kind: str = "Deployment",
    replicas: int = 1,
    port: int = 0,
    called: str = "",
    targets: Sequence[str] = (),
    host_network: bool = False,
) -> dict[str, Any]:
    """A workload `namespace/name` that serves a port (named `called`) and calls its targets
    (`address:port`) once a second, for ever.
    """
    where, name = place.split("/")
    containers: list[dict[str, Any]] = []
    if port:
        serve = ["httpd", "-f", "-p", str(port), "-h", "/tmp"]
        declared = {"containerPort": port, **({"name": called} if called else {})}
        containers.append({"name": "serve", "command": serve, "ports": [declared]})
    if targets:
        containers.append(
            {
                "name": "call",
                "command": ["sh", "-c", _CALL],
                "env": [{"name": "TARGETS", "value": " ".join(targets)}],
            }
        )
    for container in containers:
        container |= {"image": _IMAGE, "imagePullPolicy": "IfNotPresent"}
    labels = {"app": name, "tier": where}
    pod: dict[str, Any] = {"containers": containers, "terminationGracePeriodSeconds": 0}
    if host_network:
        pod["hostNetwork"] = True
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if kind != "DaemonSet":
        spec["replicas"] = replicas
        pod["topologySpreadConstraints"] = [_spread(name)]
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": where},
        "spec": spec,
    }


def service(place: str, port: int, target: int | str) -> dict[str, Any]:
    """A Service whose port is not the pods' own, as they often are."""
    where, name = place.split("/")
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": where},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "main", "port": port, "targetPort": target}],
        },
    }


def _spread(name: str) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": name}},
    }
