"""IMG-002: images on systems that get no fixes any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.approval import stamp
from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.images.ledger import scanned


@check(
    "IMG-002",
    severity="medium",
    kinds=("workload",),
    facts=("images",),
    fix="Build the image on a release that is still maintained.",
    frameworks={
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1190"],
        "owasp-k8s": ["K02"],
    },
    aliases={"kubescape": ("C-0292",)},
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
            message="holds Debian GNU/Linux 10, which gets no fixes since 2024-06-30",
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
def end_of_life_system(
    workload: Workload, cluster: Cluster, *, facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Image is built on a system that gets no security fixes any more.

    Nobody writes advisories for a release that has reached its end: its packages look clean to
    every scanner, and what is found tomorrow stays open for ever.
    """
    found, missing = scanned(workload, cluster, facts)
    yield from missing
    for use, summary in found:
        ends = summary.end_of_life
        if ends and ends < stamp(facts["images"].at)[:10]:
            system = summary.system or "its system"
            message = f"its image holds {system}, which gets no fixes since {ends}"
            yield Hit(workload.resource, use.path, message, use.container.name)
