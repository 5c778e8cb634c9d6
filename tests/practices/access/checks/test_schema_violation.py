"""POD-047: one hit a violation, worded so that no value is shown."""

from __future__ import annotations

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.access.checks.schema_violation import schema_violation


def test_each_violation_is_a_hit_with_its_path() -> None:
    raw = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"replicas": "hunter2", "Selector": {}, "template": {}},
    }
    resource = resource_of(raw, Nowhere())
    hits = list(schema_violation(resource, Cluster([resource])))
    assert [(hit.path, hit.message) for hit in hits] == [
        (("spec", "replicas"), "spec.replicas must be a 32-bit integer, not a string"),
        (
            ("spec", "Selector"),
            "spec.Selector is no field of this API; selector is probably meant",
        ),
        (("spec", "selector"), "spec.selector is required"),
    ]
