"""NET-031: a route of the Gateway API that leads to no Service."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.network.outer.backends import ROUTES, missing, route_backends


@check(
    "NET-031",
    severity="medium",
    profile="strict",
    kinds=ROUTES,
    needs=("Service",),
    fix="Correct name, namespace and port of the backendRef, or remove it.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    aliases={"kubescape": ("C-0302",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop},
              spec: {ports: [{port: 80}]}}
            ---
            {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute,
              metadata: {name: r, namespace: web}, spec: {rules: [
                {backendRefs: [{name: s, namespace: shop, port: 80}]}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}
            ---
            {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r},
              spec: {rules: [{backendRefs: [{group: example.com, kind: Bucket, name: b},
                {group: multicluster.x-k8s.io, kind: ServiceImport, name: b, port: 80}]}, {}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop},
              spec: {ports: [{port: 80}]}}
            ---
            {apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute,
              metadata: {name: r, namespace: web},
              spec: {rules: [{backendRefs: [{name: s, port: 80}]}]}}
            """,
            at="spec.rules[0].backendRefs[0]",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}
            ---
            {apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TCPRoute, metadata: {name: r},
              spec: {rules: [{backendRefs: [{kind: Service, name: s, port: 81}]}]}}
            """,
            at="spec.rules[0].backendRefs[0]",
        ),
    ),
)
def dangling_gateway_backend(route: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Route of the Gateway API leads to no Service.

    The gateway answers these requests with an error. A Service of that name, created later by
    somebody else, receives what was meant for the old one.
    """
    for backend in route_backends(route):
        if not isinstance(backend.service, str):
            yield Hit(route, backend.path, "the backendRef names no Service", unassessed=True)
            continue
        lack = missing(backend, cluster)
        if lack:
            where = "" if cluster.complete else " within these files"
            severity = "" if cluster.complete else "low"
            yield Hit(route, backend.path, lack + where, severity=severity)
