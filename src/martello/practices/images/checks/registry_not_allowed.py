"""IMG-006: images from registries that nobody allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from martello.core.check import Example, Hit, check
from martello.core.cluster import Cluster
from martello.core.image import covers
from martello.core.workload import Workload
from martello.practices.images.registries import begins, public, spelled


@check(
    "IMG-006",
    severity="high",
    kinds=("workload",),
    fix="Copy the image to a registry of your own, and list that as allowed: --image-policy FILE.",
    frameworks={
        "nsa-cisa": ["pod-security"],
        "mitre-attack": ["T1204.003"],
        "owasp-k8s": ["K02"],
    },
    aliases={
        "trivy": ("KSV-0125", "KSV-0032", "KSV-0033", "KSV-0034", "KSV-0035"),
        "kubescape": ("C-0078", "C-0001"),
    },
    params={
        "allowed": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "doc": "registries, repositories, or prefixes that end in a slash",
        },
        "repositories": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "doc": "patterns such as reg.local/shop/*; those of image policies are added",
        },
        "denied": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "doc": "as allowed: what is refused, whatever is allowed",
        },
    },
    examples=(
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: x},
              {name: c, image: "web:1"}, {name: d, image: "index.docker.io/library/web:1"},
              {name: e, image: "docker.io/library/web@sha256:12"}]}}
            """,
            params={"allowed": ["docker.io/library/web"], "denied": ["docker.io/library/we"]},
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [
              {name: c, image: "team/web"}, {name: d, image: "r.example.com/web:1"},
              {name: e, image: "localhost/web:1"}]}}
            """,
            params={"allowed": ["docker.io/team/", "r.example.com", "localhost"]},
        ),
        Example(
            True,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [
              {name: c, image: "reg.shop.internal/web:1"}, {name: d, image: "10.0.0.1:5000/x"}]}}
            """,
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [
              {name: c, image: "web:1"}]}}
            """,
            at="spec.containers[0].image",
            message="images come from docker.io, a public registry, and nothing lists what may",
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [
              {name: c, image: "r.example.com.evil.example/web:1"}]}}
            """,
            at="spec.containers[0].image",
            message="no allowed registry holds r.example.com.evil.example/web:1",
            params={"allowed": ["r.example.com"]},
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [
              {name: c, image: "reg.local/other/web:1"}]}}
            """,
            at="spec.containers[0].image",
            params={"repositories": ["reg.local/shop/*"]},
        ),
        Example(
            False,
            """
            {apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {containers: [
              {name: c, image: "web:1"}]}}
            """,
            at="spec.containers[0].image",
            message="docker.io/library/web:1 comes from a denied registry",
            params={"denied": ["docker.io"]},
        ),
    ),
)
def registry_not_allowed(
    workload: Workload, cluster: Cluster, *, params: Mapping[str, Any]
) -> Iterator[Hit]:
    """Image comes from a registry that is not allowed.

    An image from anywhere is code from anyone. A short list of registries that somebody watches
    keeps out typosquatted names and images that a compromised pipeline was pointed at. While there
    is no list, a public registry is one low finding for all images.
    """
    listed = bool(params["allowed"] or params["repositories"])
    for container in workload.containers:
        image = container.raw.get("image")
        if not isinstance(image, str) or not image:
            continue
        whole, path = spelled(image), (*container.path, "image")
        if any(begins(whole, prefix) for prefix in params["denied"]):
            message = f"image {whole} comes from a denied registry"
            yield Hit(workload.resource, path, message, container.name)
        elif listed:
            if any(begins(whole, prefix) for prefix in params["allowed"]):
                continue
            if not any(covers(pattern, image) for pattern in params["repositories"]):
                message = f"no allowed registry holds {whole}"
                yield Hit(workload.resource, path, message, container.name)
        elif public(whole.partition("/")[0]):
            registry = whole.partition("/")[0]
            message = f"images come from {registry}, a public registry, and nothing lists what may"
            yield Hit(workload.resource, path, message, severity="low", once=True)
