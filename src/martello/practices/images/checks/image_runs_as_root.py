"""IMG-011: images that run as root where nothing else is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.images.ledger import scanned
from martello.practices.images.ledger.telling import is_root


@check(
    "IMG-011",
    severity="low",
    kinds=("workload",),
    profile="strict",
    facts=("images",),
    fix="Name a user in the image by its number (USER 65532), or set runAsUser.",
    frameworks={
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1611"],
        "owasp-k8s": ["K02"],
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              containers: [{name: c, image: "reg.example.com/shop/web:2"}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {
              template: {spec: {containers: [{name: c, image: "reg.example.com/shop/web:2"}]}}}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              securityContext: {runAsUser: 1000},
              containers: [{name: c, image: "reg.example.com/shop/web:1"}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              containers: [{name: c, image: "reg.example.com/shop/web:1"}]}}
            """,
            at="spec.containers[0].image",
            message="runs as root, for it names no user",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {
              template: {spec: {containers: [{name: c, image: "reg.example.com/shop/web:1"}]}}}}
            """,
            at="spec.template.spec.containers[0].image",
        ),
    ),
)
def image_runs_as_root(
    workload: Workload, cluster: Cluster, *, facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Container runs as root because its image names no other user.

    The manifest leaves the user to the image, and the image leaves it at root. A process that
    escapes from its container is then root on the node.
    """
    found, missing = scanned(workload, cluster, facts)
    yield from missing
    for use, summary in found:
        if workload.security(use.container, "runAsUser") is not None or not summary.config:
            continue
        if not is_root(summary.user):
            continue
        message = f"its image runs as {summary.user or 'root, for it names no user'}"
        if workload.security(use.container, "runAsNonRoot") is True:
            message += ", and runAsNonRoot keeps it from starting"
        yield Hit(workload.resource, use.path, message, use.container.name)
