"""IMG-014: pods that run a digest which nobody approved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.resource import Resource
from martello.practices.images.ledger import ImageFacts, statuses
from martello.practices.images.ledger.standing import unapproved
from martello.practices.images.ledger.telling import short


@check(
    "IMG-014",
    severity="high",
    kinds=("Pod",),
    facts=("images", "approvals"),
    fix="Find out where the digest came from, and delete the pod once an approved one is named.",
    frameworks={
        "cis-kubernetes": ["5.5.1"],
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1525"],
        "owasp-k8s": ["K02"],
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              containers: [{name: c, image: "reg.example.com/shop/web:2"}]},
              status: {containerStatuses: [{name: c, imageID:
                "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              containers: [{name: c, image: "reg.example.com/shop/web:2"}]},
              status: {containerStatuses: [{name: c, imageID:
                "sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"}]}}
            """,
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              containers: [{name: c, image: "reg.example.com/shop/web:1"}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              containers: [{name: c, image: "reg.example.com/shop/web:2"}]},
              status: {containerStatuses: [{name: c, imageID:
                "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}]}}
            """,
            at="spec.containers[0].image",
            message="runs sha256:bbbbbbbbbbbb: its image was denied by key-1",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}, spec: {
              containers: [{name: c, image: "reg.example.com/shop/web:2"}]},
              status: {containerStatuses: [{name: c, imageID:
                "sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"}]}}
            """,
            at="spec.containers[0].image",
            message="no approval",
        ),
    ),
)
def running_digest_not_approved(
    resource: Resource, cluster: Cluster, *, facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Pod runs an image that is not approved.

    What counts is not the name in the manifest but the digest that the node pulled: an index, an
    image, or its configuration. The ledger approves another one, or has denied this one since.
    """
    images: ImageFacts = facts["images"]
    workload = cluster.workload(resource)
    running = statuses(resource)
    for container in workload.containers if workload is not None else ():
        digest, image = running.get(container.name, ""), container.raw.get("image")
        if not digest or not isinstance(image, str):
            continue
        namespace = resource.ref.namespace
        why = unapproved(digest, image, namespace, images, facts["approvals"])
        if why:
            message = f"runs {short(digest)}: {why}"
            yield Hit(resource, (*container.path, "image"), message, container.name)
