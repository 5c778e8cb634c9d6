"""NET-036: an administration interface is reachable from outside of the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.image import parse_image
from martello.core.path import Path
from martello.core.resource import Resource
from martello.core.selection import selection
from martello.core.selector import MalformedSelector
from martello.core.workload import Workload
from martello.practices.network.outer.backends import (
    INGRESS,
    ROUTES,
    ingress_backends,
    route_backends,
)

_KNOWN: Final = (
    "argoproj/argocli",
    "apache/nifi",
    "headlamp-k8s/headlamp",
    "jupyter/base-notebook",
    "jupyter/minimal-notebook",
    "jupyter/scipy-notebook",
    "jupyter/tensorflow-notebook",
    "kubeflow/centraldashboard",
    "kubernetesui/dashboard",
    "kubernetesui/dashboard-web",
    "portainer/portainer-ce",
    "prom/alertmanager",
    "prom/prometheus",
    "prometheus/alertmanager",
    "prometheus/prometheus",
    "rancher/rancher",
    "weaveworks/scope",
)


@check(
    "NET-036",
    severity="high",
    kinds=("Service",),
    params={
        "images": {
            "type": "array",
            "items": {"type": "string"},
            "default": list(_KNOWN),
            "doc": "repositories of interfaces that must not be reached from outside",
        }
    },
    fix="Make the Service a ClusterIP and reach it by kubectl port-forward or behind a login.",
    frameworks={
        "nsa-cisa": ["network-separation"],
        "mitre-attack": ["T1133"],
        "owasp-k8s": ["K07"],
    },
    aliases={"kubescape": ("C-0021",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, image: "kubernetesui/dashboard:v2.7.0"}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, image: "example.com/my/dashboard:1"}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s},
              spec: {type: NodePort, selector: {app: a}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c, image: "docker.io/kubernetesui/dashboard:v2.7.0"}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s},
              spec: {type: NodePort, selector: {app: a}}}
            """,
            at="spec.type",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {
              metadata: {labels: {app: a}},
              spec: {containers: [{name: c, image: "r.example.com/hub/tools/console@sha256:12"},
                {name: d, image: "r.example.com/hub/tools/console:1"}]}}}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: s},
              spec: {selector: {app: a}, ports: [{port: 80}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i},
              spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}}
            """,
            at="spec.selector",
            params={"images": ["tools/console"]},
        ),
    ),
)
def sensitive_interface_exposed(
    service: Resource, cluster: Cluster, *, params: Mapping[str, Any]
) -> Iterator[Hit]:
    """Administration interface is reachable from outside of the cluster.

    Dashboards, notebooks and metrics servers were written for use inside: many ask for no
    password and act with the rights of their own account. Finding one of them is the whole
    attack.
    """
    way, path = _way_in(service, cluster)
    selector = service.spec.get("selector")
    if not way or not selector:
        return
    try:
        pods = selection(cluster).mapped(service.ref.namespace, selector)
    except MalformedSelector as error:
        yield Hit(service, ("spec", "selector"), str(error), unassessed=True)
        return
    found = next((name for pod in pods for name in _interfaces(pod, params["images"])), "")
    if found:
        yield Hit(service, path, f"{found} is open to the outside through {way}")


def _way_in(service: Resource, cluster: Cluster) -> tuple[str, Path]:
    kind = service.spec.get("type")
    if kind in ("NodePort", "LoadBalancer"):
        return f"a {kind}", ("spec", "type")
    via = _published(cluster).get((service.ref.namespace, service.ref.name), "")
    return via, ("spec", "selector")


@lru_cache(maxsize=2)
def _published(cluster: Cluster) -> dict[tuple[str, str], str]:
    """What Ingresses and routes lead to: namespace and name of the Service → by what."""
    found: dict[tuple[str, str], str] = {}
    for kind in (INGRESS, *ROUTES):
        for source in cluster.of_kind(kind):
            backends = ingress_backends if kind == INGRESS else route_backends
            for backend in backends(source):
                if isinstance(backend.service, str):
                    key = (backend.namespace, backend.service)
                    found.setdefault(key, f"{source.ref.kind} {source.ref.name}")
    return found


def _interfaces(pod: Workload, images: Sequence[str]) -> Iterator[str]:
    for container in pod.containers:
        image = container.raw.get("image")
        reference = parse_image(image) if isinstance(image, str) else None
        if reference is not None and any(
            f"/{reference.repository}".endswith(f"/{name}") for name in images
        ):
            yield reference.repository
