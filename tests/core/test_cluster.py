"""What a name means, in files that leave namespaces out or hold variants of one object."""

from __future__ import annotations

import pytest

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.core.selection import selection


def service(namespace: str, name: str, mark: str) -> Resource:
    metadata = {"namespace": namespace, "name": name, "uid": mark}
    return resource_of({"apiVersion": "v1", "kind": "Service", "metadata": metadata}, Nowhere())


SERVICES = [
    service("shop", "web", "1"),
    service("shop", "web", "2"),
    service("", "web", "3"),
    service("ops", "web", "4"),
    service("shop", "db", "5"),
]


@pytest.mark.parametrize(
    ("namespace", "name", "marks"),
    [("shop", "web", "123"), ("", "web", "1234"), ("new", "web", "3"), ("ops", "db", "")],
)
def test_a_name_may_mean_several_objects(namespace: str, name: str, marks: str) -> None:
    found = Cluster(SERVICES).meant("Service", namespace, name)
    assert "".join(sorted(r.metadata["uid"] for r in found)) == marks


@pytest.mark.parametrize(
    ("namespace", "names"), [("shop", {"a", "b"}), ("", {"a", "b", "c"}), ("new", {"b"})]
)
def test_a_selector_may_be_meant_for_pods_without_a_namespace(
    namespace: str, names: set[str]
) -> None:
    pods = [
        resource_of(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"namespace": space, "name": name, "labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c"}]},
            },
            Nowhere(),
        )
        for space, name in (("shop", "a"), ("", "b"), ("ops", "c"))
    ]
    found = selection(Cluster(pods)).meant(namespace, {"app": "web"})
    assert {w.resource.ref.name for w in found} == names
