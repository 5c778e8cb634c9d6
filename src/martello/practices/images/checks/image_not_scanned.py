"""IMG-019: images that nobody scanned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.images.ledger import uses


@check(
    "IMG-019",
    severity="medium",
    kinds=("workload",),
    profile="strict",
    facts=("images",),
    fix="Scan the image: martello image scan, with --running for all that runs.",
    frameworks={
        "cis-kubernetes": ["5.5.1"],
        "nsa-cisa": ["pod-security"],
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
              template: {spec: {containers: [{name: c, image: "reg.example.com/shop/web:1"}]}}}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              containers: [{name: c, image: "reg.example.com/shop/mail:1"}]}}
            """,
            at="spec.containers[0].image",
            message="was never looked up",
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {
              template: {spec: {containers: [{name: c, image: "reg.example.com/shop/cart:1"}]}}}}
            """,
            at="spec.template.spec.containers[0].image",
            message="the ledger knows no scan of its image reg.example.com/shop/cart:1",
        ),
    ),
)
def image_not_scanned(
    workload: Workload, cluster: Cluster, *, facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Image was never scanned.

    What is in the image is not known: no list of its packages, and no word on vulnerabilities,
    secrets or its age. The ledger has no scan of this digest, or does not know the digest at all.
    """
    for use in uses(workload, facts["images"]):
        if use.summaries:
            continue
        if use.digest:
            message = f"the ledger knows no scan of its image {use.image}"
        else:
            message = f"which digest its image {use.image} means was never looked up"
        yield Hit(workload.resource, use.path, message, use.container.name)
