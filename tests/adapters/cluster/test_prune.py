"""What is dropped from live objects, what stays, and what is kept once."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.adapters.cluster.kinds import KINDS, REQUIRED, SECRETS, Kind
from martello.adapters.cluster.prune import pod_template_kind, prune, refuse_depth
from martello.adapters.cluster.share import Shared
from martello.core.errors import BadInput

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 2) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def _kind(group_kind: str) -> Kind:
    return next(kind for kind in KINDS if kind.group_kind == group_kind)


def test_bulk_is_dropped_and_what_is_judged_stays() -> None:
    metadata: dict[str, Any] = {"name": "p", "managedFields": [{}], "annotations": {"a": "b"}}
    state = {"name": "c", "image": "i", "imageID": "i@sha256:1", "state": {"running": {}}}
    status = {"phase": "Running", "conditions": [{}], "containerStatuses": [state]}
    pod = {"metadata": metadata, "spec": {"containers": []}, "status": status}
    assert prune(pod, _kind("Pod")) == {
        "metadata": {"name": "p", "annotations": {"a": "b"}},
        "spec": {"containers": []},
        "status": {
            "phase": "Running",
            "containerStatuses": [{"name": "c", "image": "i", "imageID": "i@sha256:1"}],
        },
    }


def test_old_revisions_are_dropped() -> None:
    kind = _kind("ReplicaSet.apps")
    owned = {"ownerReferences": [{"uid": "u", "controller": True}]}
    retired = {"metadata": dict(owned), "spec": {"replicas": 0}, "status": {"replicas": 0}}
    assert prune(retired, kind) is None
    leaving = {"metadata": dict(owned), "spec": {"replicas": 0}, "status": {"replicas": 1}}
    assert prune(leaving, kind) is not None
    assert prune({"metadata": {}, "spec": {"replicas": 0}}, kind) is not None
    assert prune({"metadata": dict(owned), "spec": {}}, kind) is not None


def test_a_full_secret_is_stripped() -> None:
    raw = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "b"}, "type": "Opaque"}
    assert prune(raw, SECRETS) == {"kind": "Secret", "metadata": {"name": "s"}}


@given(
    st.sampled_from(KINDS), st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), JSON)
)
def test_any_shape_is_survived(kind: Kind, raw: dict[str, Any]) -> None:
    prune(raw, kind)
    pod_template_kind({"spec": {"names": raw, "versions": [raw]}})


@given(st.lists(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), JSON), max_size=4))
def test_sharing_changes_nothing(objects: list[dict[str, Any]]) -> None:
    before = json.dumps(objects)
    shared = Shared()
    for raw in objects:
        shared.object(raw)
    assert json.dumps(objects) == before


def test_equal_parts_are_one_and_unequal_types_are_not() -> None:
    one, two, three = ({"spec": {"a": [{"b": value}]}} for value in (1, 1, True))
    shared = Shared()
    for raw in (one, two, three):
        shared.object(raw)
    assert one["spec"] is two["spec"]
    assert three["spec"]["a"][0]["b"] is True


def test_pod_templates_are_recognised_by_schema() -> None:
    schema: dict[str, Any] = {"type": "array"}
    for key in ("containers", "spec", "template", "spec"):
        schema = {"type": "object", "properties": {key: schema}}
    spec: dict[str, Any] = {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"kind": "Roll", "plural": "rolls"},
        "versions": [{"name": "v1"}, {"name": "v2", "schema": {"openAPIV3Schema": schema}}],
    }
    assert pod_template_kind({"spec": spec}) == Kind("example.org", "Roll", "rolls", True)
    assert pod_template_kind({"spec": {**spec, "versions": spec["versions"][:1]}}) is None


def test_the_table_names_each_kind_once() -> None:
    assert len({(k.group, k.resource) for k in KINDS}) == len(KINDS)
    assert len({k.group_kind for k in KINDS}) == len(KINDS)
    assert all(not kind.metadata_only for kind in REQUIRED)


def test_nothing_heavy_is_imported_before_a_cluster_is_read() -> None:
    code = (
        "import sys, martello.adapters, martello.adapters.cluster, martello.adapters.cluster.grant;"
        "print(*[m for m in ('httpx', 'ssl', 'yaml', 'asyncio') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""


def test_what_is_nested_too_deeply_is_refused() -> None:
    def nested(depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for _ in range(depth):
            value = {"a": value}
        return value

    refuse_depth(nested(150))
    with pytest.raises(BadInput, match="cannot judge it"):
        refuse_depth(nested(600))
