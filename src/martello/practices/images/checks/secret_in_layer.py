"""IMG-009: secrets in the layers of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.images.ledger import scanned


@check(
    "IMG-009",
    severity="high",
    kinds=("workload",),
    facts=("images",),
    fix="Revoke the secret, and build the image without it: a build secret leaves nothing behind.",
    frameworks={
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1552.001"],
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
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              containers: [{name: c, image: "reg.example.com/shop/web:1"}]}}
            """,
            at="spec.containers[0].image",
            message="holds a secret, app/settings.yaml: a GitHub token",
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
def secret_in_layer(
    workload: Workload, cluster: Cluster, *, facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Image holds a secret in one of its layers.

    Whoever may pull the image has the secret, and so has every cache and mirror on the way. A
    later layer that deletes the file only hides it.
    """
    found, missing = scanned(workload, cluster, facts)
    yield from missing
    for use, summary in found:
        if not summary.leaks:
            continue
        more = summary.leaks - 1
        message = f"its image holds a secret, {summary.leaked[0]}"
        message += f", and {more} more" if more else ""
        evidence = summary.leaked
        yield Hit(workload.resource, use.path, message, use.container.name, evidence)
