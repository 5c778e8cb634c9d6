"""NET-035: two Ingresses claim the same host and path."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.path import Path, look_up
from martello.core.resource import Resource
from martello.practices.network.outer.backends import INGRESS, ingress_paths

Claim = tuple[str, str, str]  # ingress class, host, path
_CANARY: Final = "nginx.ingress.kubernetes.io/canary"
_CLASS: Final = "kubernetes.io/ingress.class"


@check(
    "NET-035",
    severity="medium",
    profile="strict",
    kinds=(INGRESS,),
    fix="Leave the host and path to one Ingress.",
    frameworks={
        "nsa-cisa": ["network-separation"],
        "mitre-attack": ["T1557"],
        "owasp-k8s": ["K07"],
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {
              rules: [{host: a.example.com, http: {paths: [{path: /}, {path: /x}]}}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: j}, spec: {
              rules: [{host: a.example.com, http: {paths: [{path: /y}]}},
                {host: b.example.com, http: {paths: [{path: /}]}}, {http: {paths: [{path: /}]}}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: k}, spec: {
              ingressClassName: other, rules: [{host: a.example.com, http: {paths: [{path: /}]}}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {
              rules: [{host: a.example.com, http: {paths: [{path: /}]}}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: j,
              annotations: {nginx.ingress.kubernetes.io/canary: "true"}}, spec: {
              rules: [{host: a.example.com, http: {paths: [{path: /}]}}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: networking.k8s.io/v1, kind: Ingress,
              metadata: {name: i, namespace: shop}, spec: {
              rules: [{host: a.example.com, http: {paths: [{path: /x}, {path: /}]}}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: Ingress,
              metadata: {name: j, namespace: other}, spec: {
              rules: [{host: a.example.com, http: {paths: [{path: /}]}}]}}
            """,
            at="spec.rules[0].http.paths[1]",
        ),
        Example(
            False,
            """
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i,
              annotations: {kubernetes.io/ingress.class: nginx}}, spec: {
              rules: [{host: A.example.com, http: {paths: [{path: /}]}}]}}
            ---
            {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: j}, spec: {
              ingressClassName: nginx, rules: [{host: a.example.com, http: {paths: [{}]}}]}}
            """,
            at="spec.rules[0].http.paths[0]",
        ),
    ),
)
def ingress_host_collision(ingress: Resource, cluster: Cluster) -> Iterator[Hit]:
    """Two Ingresses claim the same host and path.

    The controller serves one of them and says so nowhere; often the older one wins, until it is
    created anew. Across namespaces it is a way to receive the requests and cookies of somebody
    else.
    """
    for path, claim in _claims(ingress):
        others = sorted(r.ref.local for r in _by_claim(cluster)[claim] if r is not ingress)
        if others:
            message = f"{claim[1]}{claim[2]} is also claimed by {', '.join(others[:3])}"
            yield Hit(ingress, path, message)


@lru_cache(maxsize=2)
def _by_claim(cluster: Cluster) -> dict[Claim, list[Resource]]:
    found: dict[Claim, list[Resource]] = {}
    for ingress in cluster.of_kind(INGRESS):
        for claim in dict.fromkeys(claim for _, claim in _claims(ingress)):
            found.setdefault(claim, []).append(ingress)
    return found


def _claims(ingress: Resource) -> Iterator[tuple[Path, Claim]]:
    """Host and path of each rule that names a host. A canary shares its host on purpose."""
    if ingress.annotations.get(_CANARY) == "true":
        return
    written = ingress.spec.get("ingressClassName")
    name = written if isinstance(written, str) else ingress.annotations.get(_CLASS, "")
    for path, entry in ingress_paths(ingress):
        host = look_up(ingress.raw, (*path[:3], "host"))
        place = entry.get("path", "/")
        if isinstance(host, str) and host and isinstance(place, str):
            yield path, (name, host.lower(), place)
