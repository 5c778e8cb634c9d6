"""IMG-008: images without the attestations that a policy asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.images.ledger import scanned
from martello.practices.images.ledger.telling import unvouched


@check(
    "IMG-008",
    severity="medium",
    kinds=("workload",),
    profile="strict",
    facts=("images", "signers"),
    fix="Attest the image anew with a key of the policy: martello image promote.",
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
            message="no attestation",
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
def attestation_missing(
    workload: Workload, cluster: Cluster, *, facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Image lacks an attestation that the policy asks for.

    An attestation says who scanned or built these very bytes, when, and with which result. One
    that is missing, too old, of another image or by another key says nothing about this one.
    """
    found, missing = scanned(workload, cluster, facts)
    yield from missing
    for use, summary in found:
        yield from unvouched(workload, use, summary, facts["signers"], "IMG-008")
