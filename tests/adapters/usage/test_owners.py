"""Whose pods are, by the objects of a cluster, also of those that are gone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from martello.adapters.usage.owners import Owners
from martello.core.cluster import Cluster
from martello.core.path import Path
from martello.core.resource import Comment, Duplicate, Location, Resource, resource_of


class _Here(msgspec.Struct, frozen=True):
    where: str = "here"

    def locate(self, path: Path) -> Location:
        return Location("here")

    def comments(self) -> tuple[Comment, ...]:
        return ()

    def duplicates(self) -> tuple[Duplicate, ...]:
        return ()


def _object(kind: str, name: str, owner: tuple[str, str] | None = None) -> Resource:
    version = {"Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}.get(kind, "apps/v1")
    metadata: dict[str, Any] = {"name": name, "namespace": "shop", "uid": f"{kind}-{name}"}
    if owner:
        above, its = owner
        metadata["ownerReferences"] = [
            {"kind": above, "name": its, "uid": f"{above}-{its}", "controller": True}
        ]
    return resource_of({"apiVersion": version, "kind": kind, "metadata": metadata}, _Here(), "c")


CLUSTER = Cluster(
    [
        _object("Deployment", "web"),
        _object("ReplicaSet", "web-5d4f8c7b9d", ("Deployment", "web")),
        _object("Pod", "web-5d4f8c7b9d-abc45", ("ReplicaSet", "web-5d4f8c7b9d")),
        _object("StatefulSet", "db"),
        _object("DaemonSet", "agent"),
        _object("CronJob", "nightly"),
        _object("Job", "once"),
        _object("Pod", "alone"),
        _object("Deployment", "web-5d4f8c7b9d"),  # as like a ReplicaSet as can be
    ]
)


@pytest.mark.parametrize(
    ("pod", "whose"),
    [
        ("web-5d4f8c7b9d-abc45", "deploy/web"),
        ("web-66f8c7b9d6-zzzzz", "deploy/web"),  # of a ReplicaSet that is gone
        ("db-17", "sts/db"),
        ("agent-x2x2x", "ds/agent"),
        ("nightly-29481120-x2x2x", "cronjob/nightly"),
        ("once-x2x2x", "job/once"),
        ("alone", "pod/alone"),
        ("web-5d4f8c7b9d-zzzzz", "deploy/web"),  # its ReplicaSet is there
        ("db-x", ""),
        ("agent-aeiou", ""),  # no ending that Kubernetes makes
        ("other-x2x2x", ""),
        ("web", ""),
    ],
)
def test_whose_a_pod_is(pod: str, whose: str) -> None:
    assert Owners(CLUSTER).of("shop", pod) == whose
    assert Owners(CLUSTER).of("elsewhere", pod) == ""


def test_objects_count_more_than_series() -> None:
    owners = Owners(CLUSTER)
    told = {"pod": "alone", "owner_kind": "StatefulSet", "owner_name": "db"}
    other = {"pod": "x-0", "owner_kind": "Rollout", "owner_name": "x"}
    second = {"pod": "y-0", "owner_kind": "A", "owner_name": "a", "owner_is_controller": "false"}
    owners.learn("shop", [told, other, second, {}, {"pod": ""}])
    assert owners.of("shop", "alone") == "pod/alone"
    assert owners.of("shop", "x-0") == "rollout/x"
    assert owners.of("shop", "y-0") == ""
    owners.forget("shop")
    assert owners.of("shop", "x-0") == ""
