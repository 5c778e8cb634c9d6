"""Patches change what they say and nothing else, also where a server or kustomize merges by other
rules: of custom kinds, and of templates that write what a class fills in.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.apiserver import Missing, run
from tests.support.resources.guarded import deployment

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.resources.guards.model import Patch, Size
from martello.practices.resources.guards.patching import patches

CLASS = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "martello-platform"},
    "value": 1_000_000,
    "preemptionPolicy": "Never",
}


def rollout(**spec: Any) -> dict[str, Any]:
    """A workload of a custom kind."""
    return {
        **deployment("web", "shop", **spec),
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
    }


def patch(raw: dict[str, Any], size: Size | None = None, *, raised: bool = False) -> Patch:
    """What is made of one workload."""
    given = Cluster([resource_of(raw, Nowhere())])
    kind = {"Deployment": "deploy", "Rollout": "rollout"}[raw["kind"]]
    owner = f"shop/{kind}/web"
    rise = {owner: ("martello-platform", "of the test")} if raised else {}
    sizes = {} if size is None else {f"{owner}/{name}": size for name in ("c", "app")}
    (found,) = patches(given, "shop", sizes, rise)
    return found


def test_a_custom_kind_is_patched_by_steps() -> None:
    found = patch(rollout(), Size(cpu=250), raised=True)
    name = found.after.spec["template"]["spec"]["containers"][0]["name"]
    place = "/spec/template/spec/containers/0"
    assert found.steps[0] == {
        "op": "add",
        "path": "/spec/template/spec/priorityClassName",
        "value": "martello-platform",
    }
    assert found.steps[1] == {"op": "test", "path": f"{place}/name", "value": name}
    assert [step["path"] for step in found.steps[2:]] == [f"{place}/resources"]
    assert stepped(rollout(), found.steps)["spec"] == found.after.spec
    assert not patch(deployment("web", "shop"), raised=True).steps


def stepped(raw: Any, steps: Any) -> Any:
    """The object after the steps of a JSON patch."""
    for step in steps:
        *way, last = step["path"].strip("/").split("/")
        at = raw
        for part in way:
            at = at[int(part) if isinstance(at, list) else part]
        if step["op"] == "test":
            assert at[last] == step["value"]
        elif step["op"] == "add":
            at[last] = step["value"]
        else:
            del at[last]
    return raw


def test_what_a_class_fills_in_is_taken_out_and_said() -> None:
    found = patch(deployment("web", "shop", priority=0), raised=True)
    assert found.body["spec"]["template"]["spec"] == {
        "priorityClassName": "martello-platform",
        "priority": None,
    }
    assert any(word.startswith("priority 0 is removed") for word in found.says)


@pytest.mark.apiserver
def test_a_real_server_makes_of_it_what_was_proved() -> None:
    written = deployment("web", "shop", priority=0, preemptionPolicy="PreemptLowerPriority")
    try:
        with run() as server:
            server.apply([CLASS, written])
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default"},
            }
            server.request("POST", "/api/v1/namespaces/shop/serviceaccounts", account, check=False)
            found = patch(written, raised=True)
            path = "/apis/apps/v1/namespaces/shop/deployments/web"
            how = {"Content-Type": "application/strategic-merge-patch+json"}
            body = json.dumps(found.body)
            done = server._client.request("PATCH", path, content=body, headers=how)
            assert done.status_code == 200, done.text
            spec = done.json()["spec"]["template"]["spec"]
            spec |= {"automountServiceAccountToken": False}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
            pods = "/api/v1/namespaces/shop/pods"
            assert server._client.post(pods, json=pod).status_code == 201
            pod = {**pod, "metadata": {"name": "q"}, "spec": {**spec, "priority": 0}}
            assert server._client.post(pods, json=pod).status_code == 403
    except Missing as missing:
        pytest.skip(str(missing))
