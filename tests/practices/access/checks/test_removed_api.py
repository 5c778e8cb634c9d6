"""POD-046 against target versions."""

from __future__ import annotations

import pytest

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.access.checks.removed_api import removed_api


@pytest.mark.parametrize(
    ("api_version", "kind", "kubernetes", "says"),
    [
        ("extensions/v1beta1", "Deployment", 15, None),
        ("extensions/v1beta1", "Deployment", 16, "use apps/v1"),
        ("policy/v1beta1", "PodDisruptionBudget", 25, "use policy/v1"),
        ("policy/v1beta1", "PodSecurityPolicy", 25, "nothing of that name"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", 25, None),
        ("apps/v1", "Deployment", 37, None),
        ("example.com/v1beta1", "CronJob", 37, None),
    ],
)
def test_it_speaks_where_the_target_does_not_serve_the_version(
    api_version: str, kind: str, kubernetes: int, says: str | None
) -> None:
    raw = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}
    resource = resource_of(raw, Nowhere())
    hits = list(removed_api(resource, Cluster([resource], kubernetes=kubernetes)))
    if says is None:
        assert hits == []
    else:
        assert [hit.path for hit in hits] == [("apiVersion",)]
        assert says in hits[0].message
