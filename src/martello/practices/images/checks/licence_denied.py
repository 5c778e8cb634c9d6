"""IMG-010: packages of images under licences that are denied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.workload import Workload
from martello.practices.images.ledger import ImageFacts, scanned
from martello.practices.images.licences import denied
from martello.practices.images.policy import applicable


@check(
    "IMG-010",
    severity="low",
    kinds=("workload",),
    profile="opt-in",
    facts=("images",),
    fix="Replace the package, or have its licence allowed.",
    frameworks={
        "owasp-k8s": ["K02"],
    },
    params={
        "deny": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "doc": "licences in the words of SPDX, `*` for any letters; a policy's are added",
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
            message="ghost in its image is under AGPL-3.0-only",
            params={"deny": ["AGPL-3.0-only"]},
        ),
        Example(
            False,
            """
            {apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {
              template: {spec: {containers: [{name: c, image: "reg.example.com/shop/web:1"}]}}}}
            """,
            at="spec.template.spec.containers[0].image",
            params={"deny": ["AGPL-3.0-only"]},
        ),
    ),
)
def licence_denied(
    workload: Workload, cluster: Cluster, *, params: Mapping[str, Any], facts: Mapping[str, Any]
) -> Iterator[Hit]:
    """Image holds a package under a denied licence.

    Who hands out an image hands out all that is in it, on the terms of each licence. Which of them
    are denied is up to the image policy, or to the parameter of this check.
    """
    images: ImageFacts = facts["images"]
    found, missing = scanned(workload, cluster, facts)
    yield from missing
    for use, summary in found:
        policies = applicable(images.policies, use.image)
        deny = {*params["deny"], *(x for p in policies for x in p.spec.system.licences.deny)}
        for text, packages in summary.licences:
            licence = denied((text,), sorted(deny))
            if licence is not None:
                message = f"{', '.join(packages)} in its image is under {licence}"
                yield Hit(workload.resource, use.path, message, use.container.name)
