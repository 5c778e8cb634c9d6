"""What Kubernetes' built-in kinds are called, and who serves them."""

from __future__ import annotations

import pytest

from martello.core.kinds import plural, removed, resource_for, successor, table


@pytest.mark.parametrize(
    ("group", "version", "kind", "expected", "namespaced"),
    [
        ("", "v1", "Pod", "pods", True),
        ("", "v1", "Endpoints", "endpoints", True),
        ("", "v1", "Namespace", "namespaces", False),
        ("", "v1", "Node", "nodes", False),
        ("", "v1", "ComponentStatus", "componentstatuses", False),
        ("apps", "v1", "Deployment", "deployments", True),
        ("networking.k8s.io", "v1", "Ingress", "ingresses", True),
        ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", False),
        ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", True),
        ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", False),
        ("storage.k8s.io", "v1", "CSIStorageCapacity", "csistoragecapacities", True),
        ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", False),
        ("resource.k8s.io", "v1alpha3", "ResourceSlice", "resourceslices", False),
    ],
)
def test_a_built_in_kind_has_its_resource(
    group: str, version: str, kind: str, expected: str, namespaced: bool
) -> None:
    found = resource_for(group, version, kind)
    assert found is not None
    assert (found.plural, found.namespaced) == (expected, namespaced)


def test_a_custom_kind_has_none_but_a_plural_by_convention() -> None:
    assert resource_for("example.com", "v1", "Policy") is None
    assert [plural(k) for k in ("Policy", "Gateway", "Mesh")] == ["policies", "gateways", "meshes"]


@pytest.mark.parametrize(
    ("api_version", "kind", "gone"),
    [
        ("extensions/v1beta1", "Deployment", 16),
        ("extensions/v1beta1", "Ingress", 22),
        ("apps/v1beta2", "StatefulSet", 16),
        ("batch/v1beta1", "CronJob", 25),
        ("policy/v1beta1", "PodSecurityPolicy", 25),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", 26),
        ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", 32),
        ("storage.k8s.io/v1beta1", "CSIStorageCapacity", 27),
        ("settings.k8s.io/v1alpha1", "PodPreset", 20),
        ("apps/v1", "Deployment", None),
        ("example.com/v1", "Deployment", None),
    ],
)
def test_versions_are_removed_when_the_migration_guide_says(
    api_version: str, kind: str, gone: int | None
) -> None:
    assert removed(api_version, kind) == gone


@pytest.mark.parametrize(
    ("api_version", "kind", "minor", "expected"),
    [
        ("extensions/v1beta1", "Ingress", 34, "networking.k8s.io/v1"),
        ("extensions/v1beta1", "Ingress", 18, "networking.k8s.io/v1beta1"),
        ("apps/v1beta1", "Deployment", 34, "apps/v1"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", 34, "autoscaling/v2"),
        ("autoscaling/v2beta1", "HorizontalPodAutoscaler", 20, "autoscaling/v1"),
        ("policy/v1beta1", "PodSecurityPolicy", 34, None),
    ],
)
def test_the_successor_is_the_best_version_that_is_served(
    api_version: str, kind: str, minor: int, expected: str | None
) -> None:
    assert successor(api_version, kind, minor) == expected


def test_every_kind_names_a_type_and_every_type_a_known_code() -> None:
    facts = table()
    size = len(facts.types)
    assert all(0 <= kind.type < size for kind in facts.kinds.values())
    for fields in facts.types:
        for code in fields.values():
            leaf = code.lstrip("!?+=").lstrip("[{")
            assert leaf in {"s", "o", "i", "l", "n", "x", "q", "t", "b", "*"} or int(leaf) < size
