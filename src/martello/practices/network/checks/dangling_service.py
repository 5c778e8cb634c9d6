"""NET-015: a Service that selects no workload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.core.selection import selection
from martello.core.selector import MalformedSelector
from martello.practices.network.lint.policies import written_labels


@check(
    "NET-015",
    severity="medium",
    kinds=("Service",),
    needs=("Pod",),
    params={
        "ignored": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "doc": "labels of selectors that are put on pods at run time only",
        }
    },
    fix="Give the Service the labels of its pods, or delete it.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    aliases={"kube-linter": ("dangling-service",), "kubescape": ("C-0293",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a}}}
            ---
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {
              metadata: {labels: {app: a, tier: x}}, spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}
            ---
            {apiVersion: v1, kind: Service, metadata: {name: e},
              spec: {type: ExternalName, externalName: example.com, selector: {app: a}}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [{name: c}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s},
              spec: {selector: {app: a, statefulset.kubernetes.io/pod-name: a-0}}}
            ---
            {apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a}, spec: {template: {
              metadata: {labels: {app: a}}, spec: {containers: [{name: c}]}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s},
              spec: {selector: {app: a, example.com/role: leader}}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c}]}}
            """,
            params={"ignored": ["example.com/role"]},
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service,
              metadata: {name: s}, spec: {selector: {app: a, tier: x}}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: a}},
              spec: {containers: [{name: c}]}}
            """,
            at="spec.selector",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop},
              spec: {selector: {app: a}}}
            ---
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: other, labels: {app: a}},
              spec: {containers: [{name: c}]}}
            """,
            at="spec.selector",
        ),
    ),
)
def dangling_service(
    service: Resource, cluster: Cluster, *, params: Mapping[str, Any]
) -> Iterator[Hit]:
    """Service selects no workload.

    Requests to it fail, and the first pod with its labels receives them, whoever puts it there.
    Services without a selector and ExternalName Services are not meant.
    """
    selector = service.spec.get("selector")
    if not selector or service.spec.get("type") == "ExternalName":
        return
    path = ("spec", "selector")
    try:
        wanted = written_labels(selector)
        if params["ignored"] and isinstance(wanted, dict):
            wanted = {k: v for k, v in wanted.items() if k not in params["ignored"]}
        if selection(cluster).meant(service.ref.namespace, wanted):
            return
    except MalformedSelector as error:
        yield Hit(service, path, f"the selector cannot be read: {error}", unassessed=True)
        return
    where = "its namespace" if cluster.complete else "these files"
    severity = "" if cluster.complete else "low"
    yield Hit(service, path, f"no workload of {where} has these labels", severity=severity)
