"""IMG-001: packages of images with known vulnerabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.images.ledger import scanned, unasked
from martello.practices.images.ledger.telling import doubts, evident, told_severity


@check(
    "IMG-001",
    severity="high",
    kinds=("workload",),
    facts=("images",),
    fix="Build the image anew with the fixed versions, and roll it out by digest.",
    frameworks={
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1190"],
        "owasp-k8s": ["K02"],
    },
    aliases={"kubescape": ("C-0083", "C-0084", "C-0085")},
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
            message="1 high, 1 low, CVE-2031-2222 of idna 3.4 first, to be updated to 3.7",
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
def vulnerable_package(
    workload: Workload, cluster: Cluster, *, facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Image holds packages with known vulnerabilities.

    What is public about a package is public to an attacker too, often with a working exploit. Most
    of it has a fix that only waits for the next build. What the last scan of the image found and
    nobody waived counts; `martello image explain` shows the evidence.
    """
    found, missing = scanned(workload, cluster, facts)
    yield from missing
    for use, summary in found:
        unsure = doubts(summary, facts["images"].at)
        if unsure:
            yield unasked(workload, use, f"the scan of {use.image} is not whole: {unsure}")
        if not summary.counts:
            continue
        told = ", ".join(f"{number} {level}" for level, number in summary.counts)
        first = summary.worst[0]
        mend = f"to be updated to {first.fixed}" if first.fixed else "without a fix yet"
        message = f"its image has known vulnerabilities: {told}"
        message += f", {first.id} of {first.package} {first.version} first, {mend}"
        yield Hit(
            workload.resource,
            use.path,
            message,
            use.container.name,
            evidence=tuple(map(evident, summary.worst)),
            severity=told_severity(first.severity),
        )
