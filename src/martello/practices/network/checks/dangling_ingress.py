"""NET-030: an Ingress that leads to no Service."""

from __future__ import annotations

from collections.abc import Iterator

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.network.outer.backends import INGRESS, ingress_backends, missing


@check(
    "NET-030",
    severity="medium",
    kinds=(INGRESS,),
    needs=("Service",),
    fix="Correct name and port of the backend, or delete the path.",
    frameworks={"nsa-cisa": ["network-separation"], "owasp-k8s": ["K07"]},
    aliases={"kube-linter": ("dangling-ingress",), "kubescape": ("C-0298",)},
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Service,
              metadata: {name: s}, spec: {ports: [{name: web, port: 80}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {
              defaultBackend: {service: {name: s, port: {number: 80}}},
              rules: [{http: {paths: [{backend: {service: {name: s, port: {name: web}}}}]}}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s},
              spec: {type: ExternalName, externalName: example.com}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {
              rules: [{host: a.example.com}, {http: {paths: [
                {backend: {service: {name: s, port: {number: 80}}}},
                {backend: {resource: {kind: Bucket, name: b}}}]}}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {
              rules: [{http: {paths: [{backend: {service: {name: s, port: {number: 8080}}}}]}}]}}
            """,
            at="spec.rules[0].http.paths[0].backend.service",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i},
              spec: {defaultBackend: {service: {name: gone, port: {number: 80}}}}}
            """,
            at="spec.defaultBackend.service",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}
            ---
            {apiVersion: networking.k8s.io/v1beta1, kind: Ingress, metadata: {name: i}, spec: {
              rules: [{http: {paths: [{backend: {serviceName: s, servicePort: web}}]}}]}}
            """,
            at="spec.rules[0].http.paths[0].backend",
        ),
    ),
)
def dangling_ingress(ingress: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Ingress leads to no Service.

    Requests to this path fail. A Service of that name, created later by somebody else in the
    namespace, receives what was meant for the old one, under its host name and certificate.
    """
    for backend in ingress_backends(ingress):
        if not isinstance(backend.service, str):
            yield Hit(ingress, backend.path, "the backend names no Service", unassessed=True)
            continue
        lack = missing(backend, cluster)
        if lack:
            where = "" if cluster.complete else " within these files"
            severity = "" if cluster.complete else "low"
            yield Hit(ingress, backend.path, lack + where, severity=severity)
