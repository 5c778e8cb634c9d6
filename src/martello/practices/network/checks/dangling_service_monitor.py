"""NET-038: a ServiceMonitor that selects no Service."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.labels import Labelled
from martello.core.resource import Resource
from martello.core.selector import MalformedSelector


@check(
    "NET-038",
    severity="low",
    profile="opt-in",
    kinds=("ServiceMonitor.monitoring.coreos.com",),
    needs=("Service",),
    fix="Correct selector and namespaceSelector, or delete the monitor.",
    frameworks={"owasp-k8s": ["K05"]},
    aliases={"kube-linter": ("dangling-servicemonitor",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop, labels: {app: a}}}
            ---
            {apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor,
              metadata: {name: m, namespace: ops}, spec: {selector: {matchLabels: {app: a}},
                namespaceSelector: {matchNames: [shop]}}}
            ---
            {apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor,
              metadata: {name: o, namespace: ops}, spec: {namespaceSelector: {any: true},
                selector: {matchExpressions: [{key: app, operator: Exists}]}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop, labels: {app: a}}}
            ---
            {apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: m},
              spec: {selector: {matchLabels: {app: a}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop, labels: {app: a}}}
            ---
            {apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor,
              metadata: {name: m, namespace: ops}, spec: {selector: {matchLabels: {app: a}}}}
            """,
            at="spec.selector",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop, labels: {app: a}}}
            ---
            {apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: m},
              spec: {selector: {matchLabels: {app: b}}, namespaceSelector: {any: true}}}
            """,
            at="spec.selector",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop}}
            ---
            {apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: m},
              spec: {namespaceSelector: {matchNames: [other]}}}
            """,
            at="spec",
        ),
    ),
)
def dangling_service_monitor(monitor: Resource, cluster: Cluster) -> Iterator[Hit]:
    """ServiceMonitor selects no Service.

    Nothing is scraped, and alerts that look at its metrics stay silent for ever. Without a
    namespaceSelector a monitor looks at its own namespace only.
    """
    selector = monitor.spec.get("selector")
    path = ("spec", "selector")
    try:
        for services in _services(monitor.spec.get("namespaceSelector"), monitor, cluster):
            if services.selected({} if selector is None else selector):
                return
    except MalformedSelector as error:
        yield Hit(monitor, path, f"the selector cannot be read: {error}", unassessed=True)
        return
    if cluster.read and monitor.spec.get("namespaceSelector"):
        reason = "not all the namespaces that it looks at were read"
        yield Hit(monitor, path, reason, unassessed=True)
        return
    where = "" if cluster.complete else " within these files"
    yield Hit(monitor, path, f"no Service has these labels{where}")


def _services(spaces: Any, monitor: Resource, cluster: Cluster) -> Iterator[Labelled[Resource]]:
    """The Services of the namespaces that a monitor looks at. One that names no namespace, itself
    lying in none that is written down, may be meant for any.
    """
    chosen = spaces if isinstance(spaces, dict) else {}
    names = chosen.get("matchNames")
    home = monitor.ref.namespace
    if chosen.get("any") is True or (not names and not home):
        yield from _services_by_namespace(cluster).values()
        return
    for name in names if isinstance(names, list) and names else [home]:
        if services := _services_by_namespace(cluster).get(str(name)):
            yield services


@lru_cache(maxsize=2)
def _services_by_namespace(cluster: Cluster) -> dict[str, Labelled[Resource]]:
    found: dict[str, list[tuple[dict[str, str], Resource]]] = {}
    for service in cluster.of_kind("Service"):
        found.setdefault(service.ref.namespace, []).append((service.labels, service))
    return {name: Labelled(pairs) for name, pairs in found.items()}
