"""IMG-020: images that the ledger does not approve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.images.ledger import ImageFacts, uses
from martello.practices.images.ledger.standing import unapproved


@check(
    "IMG-020",
    severity="high",
    kinds=("workload",),
    facts=("images", "approvals"),
    fix="Have the image judged (martello image gate --record), or approve it by hand with an end.",
    frameworks={
        "cis-kubernetes": ["5.5.1"],
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1204.003"],
        "owasp-k8s": ["K02"],
    },
    aliases={"kubescape": ("C-0289",)},
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
            message="its image was denied by key-1: its age",
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
def image_not_approved(
    workload: Workload, cluster: Cluster, *, facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Image is not approved by the ledger.

    The approval ledger says which digests may run, by which policy and until when. This image was
    denied, its approval has run out, or nobody has ever judged it.
    """
    images: ImageFacts = facts["images"]
    for use in uses(workload, images):
        why = unapproved(use.digest, use.image, workload.namespace, images, facts["approvals"])
        if why:
            yield Hit(workload.resource, use.path, why, use.container.name)
