"""LimitRange admission against a real API server: same refusals, same stored amounts."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from tests.support.apiserver import ApiServer

from martello.core.resource import Nowhere, resource_of
from martello.core.workload import workload_of
from martello.practices.resources.amounts import amounts, needs
from martello.practices.resources.limit_ranges import Item, complaints, defaulted, items

_RANGES, _PODS = 24, 8
# Memory in whole bytes: old servers round up before they add, new ones afterwards.
_VALUES = {
    "cpu": ("0", "100m", "250m", "0.5", "1", "1500m", "2", "3"),
    "memory": ("0", "512", "1Ki", "1.5Ki", "2k", "4096"),
}
_FIELDS = ("default", "defaultRequest", "min", "max")


def _some(choice: random.Random, odds: float) -> dict[str, str]:
    names = [name for name in _VALUES if choice.random() < odds]
    return {name: choice.choice(_VALUES[name]) for name in names}


def _range(choice: random.Random) -> dict[str, Any]:
    kind = choice.choice(("Container", "Container", "Pod"))
    fields = _FIELDS if kind == "Container" else ("min", "max")
    item: dict[str, Any] = {"type": kind}
    for field in fields:
        if choice.random() < 0.5:
            item[field] = _some(choice, 0.6)
    if choice.random() < 0.2:
        item["maxLimitRequestRatio"] = {"cpu": choice.choice(("1", "2", "3"))}
    return item


def _containers(choice: random.Random, prefix: str, most: int, least: int) -> list[Any]:
    found: list[Any] = []
    for index in range(choice.randint(least, most)):
        resources = {"requests": _some(choice, 0.4), "limits": _some(choice, 0.4)}
        found.append({"name": f"{prefix}{index}", "image": "web:1", "resources": resources})
    return found


def _pod(choice: random.Random, namespace: str) -> dict[str, Any]:
    spec = {
        "containers": _containers(choice, "c", 3, 1),
        "initContainers": _containers(choice, "i", 2, 0),
    }
    metadata = {"name": "web", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _ours(pod: dict[str, Any], found: tuple[Item, ...]) -> tuple[list[Any], bool]:
    workload = workload_of(resource_of(pod, Nowhere()))
    assert workload is not None
    filled = [defaulted(need, [found]) for need in needs(workload)]
    return [(n.requests, n.limits) for n in filled], bool(complaints(filled, [found]))


def _theirs(stored: dict[str, Any]) -> list[Any]:
    spec = stored["spec"]
    listed = spec["containers"] + spec.get("initContainers", [])
    parts = [c.get("resources", {}) for c in listed]
    return [(amounts(p.get("requests")), amounts(p.get("limits"))) for p in parts]


@pytest.mark.apiserver
def test_limit_ranges_like_the_server(apiserver: ApiServer) -> None:
    choice = random.Random(20)
    worlds: list[tuple[str, tuple[Item, ...]]] = []
    for index in range(_RANGES):
        namespace = f"limits-{index}"
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        apiserver.request("POST", "/api/v1/namespaces", space)
        wish = {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "bounds", "namespace": namespace},
            "spec": {"limits": [_range(choice)]},
        }
        path = f"/api/v1/namespaces/{namespace}/limitranges"
        answer = apiserver.request("POST", path, wish, check=False)
        if answer["kind"] == "LimitRange":
            worlds.append((namespace, items(resource_of(wish, Nowhere()))))
    time.sleep(1.5)  # until the admission plug-in has heard of them
    assert len(worlds) > 8
    refused = 0
    for namespace, found in worlds:
        for _ in range(_PODS):
            pod = _pod(choice, namespace)
            path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
            answer = apiserver.request("POST", path, pod, check=False)
            amended, no = _ours(pod, found)
            assert no is (answer["kind"] != "Pod"), (found, pod, answer)
            refused += no
            if not no:
                assert amended == _theirs(answer), (found, pod, answer)
    assert 10 < refused < len(worlds) * _PODS - 10
