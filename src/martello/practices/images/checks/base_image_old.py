"""IMG-012: images on a base that was built long ago."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.images.ledger import ImageFacts, scanned, unasked
from martello.practices.images.ledger.telling import days_since
from martello.practices.images.policy import applicable, seconds


@check(
    "IMG-012",
    severity="low",
    kinds=("workload",),
    profile="strict",
    facts=("images",),
    fix="Build the image anew on a fresh base, and do so on a schedule.",
    frameworks={
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1190"],
        "owasp-k8s": ["K02"],
    },
    params={
        "maxDays": {
            "type": "integer",
            "minimum": 1,
            "default": 180,
            "doc": "the most days; baseMaxAge of an image policy wins",
        }
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
            message="was built 851 days ago, more than 180",
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
def base_image_old(
    workload: Workload, cluster: Cluster, *, params: Mapping[str, Any], facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Image stands on a base that was built long ago.

    A base that nobody has rebuilt holds every vulnerability that was mended since, also those that
    no advisory names. Its age is that of the lowest layer.
    """
    images: ImageFacts = facts["images"]
    found, missing = scanned(workload, cluster, facts)
    yield from missing
    for use, summary in found:
        days = days_since(summary.based, images.at)
        if days is None:
            yield unasked(workload, use, f"nothing says when the base of {use.image} was built")
            continue
        limits = [p.spec.system.base_max_age for p in applicable(images.policies, use.image)]
        most = min((seconds(t) // 86_400 for t in limits if t), default=params["maxDays"])
        if days > most:
            message = f"the base of its image was built {days} days ago, more than {most}"
            yield Hit(workload.resource, use.path, message, use.container.name)
