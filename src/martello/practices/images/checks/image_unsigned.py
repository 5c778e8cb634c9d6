"""IMG-007: images that nobody vouches for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.images.ledger import scanned
from martello.practices.images.ledger.telling import unvouched


@check(
    "IMG-007",
    severity="high",
    kinds=("workload",),
    profile="strict",
    facts=("images", "signers"),
    fix="Sign the image with one of the keys of the policy, or promote it: martello image promote.",
    frameworks={
        "cis-kubernetes": ["5.5.1"],
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1525"],
        "owasp-k8s": ["K02"],
    },
    aliases={"kubescape": ("C-0236", "C-0237")},
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
            message="no signature",
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
def image_unsigned(
    workload: Workload, cluster: Cluster, *, facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Image bears no signature that the policy accepts.

    Without a signature anybody who may write to the registry decides what runs. The policy names
    the keys that count; the last gate found none of them on this image.
    """
    found, missing = scanned(workload, cluster, facts)
    yield from missing
    for use, summary in found:
        yield from unvouched(workload, use, summary, facts["signers"], "IMG-007")
