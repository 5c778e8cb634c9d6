"""IMG-021: tags that mean another image than before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.approval import stamp
from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.image import parse_image
from martello.core.workload import Workload
from martello.practices.images.ledger import ImageFacts
from martello.practices.images.ledger.telling import short


@check(
    "IMG-021",
    severity="medium",
    kinds=("workload",),
    facts=("images",),
    fix="Find out who moved the tag, and name the image by its digest.",
    frameworks={
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1525"],
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
            message="moved to sha256:bbbbbbbbbbbb; it meant sha256:cccccccccccc until 2026-06-01",
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
def tag_moved(workload: Workload, cluster: Cluster, *, facts: Mapping[str, Any]) -> Iterator[Hit]:
    """Tag means another image than it did before.

    A tag that was moved brings other code with the next restart, without any change to a manifest:
    by a careless build, or by whoever took over the registry account.
    """
    images: ImageFacts = facts["images"]
    for container in workload.containers:
        image = container.raw.get("image")
        reference = parse_image(image) if isinstance(image, str) else None
        if reference is None or reference.digest:
            continue
        meant = images.tags.get(str(reference), ())
        if len(meant) < 2:
            continue
        last, before = meant[-1], meant[-2]
        message = f"the tag of {image} moved to {short(last.digest)}; it meant"
        message += f" {short(before.digest)} until {stamp(before.last_at)[:10]}"
        yield Hit(workload.resource, (*container.path, "image"), message, container.name)
