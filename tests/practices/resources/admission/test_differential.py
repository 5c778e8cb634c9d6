"""Admission against a real kube-apiserver: random worlds, same codes, messages, stored objects and
quota use. WORLDS=300 makes more of them, with a real kube-controller-manager that keeps the quotas'
status; SEED=1000 makes others.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.apiserver import ApiServer, Missing, run
from tests.support.command import martello
from tests.support.resources.admission_sides import Difference, Side
from tests.support.resources.admission_worlds import Raw, World, thing, world
from tests.support.resources.quota_controller import controller

from martello.practices.resources.admission import limit_ranges, pods
from martello.practices.resources.admission.quotas import limited_of
from martello.practices.resources.amounts import Need

WORLDS = int(os.environ.get("WORLDS", "30"))
SEED = int(os.environ.get("SEED", "0"))
CONTROLLED = WORLDS >= 100
_SETTLED = 1.5  # seconds until the admission plug-ins have heard of what was made
_SHARED: tuple[Raw, ...] = (
    {"kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000},
    {"kind": "PriorityClass", "metadata": {"name": "low"}, "value": 7},
    {
        "kind": "PriorityClass",
        "metadata": {"name": "never"},
        "value": 5,
        "preemptionPolicy": "Never",
    },
    {
        "kind": "RuntimeClass",
        "metadata": {"name": "heavy"},
        "handler": "h",
        "overhead": {"podFixed": {"cpu": "250m", "memory": "120Mi"}},
    },
    {"kind": "RuntimeClass", "metadata": {"name": "plain"}, "handler": "p"},
    {
        "kind": "StorageClass",
        "metadata": {
            "name": "fast",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "example.com/p",
        "allowVolumeExpansion": True,
    },
    {"kind": "StorageClass", "metadata": {"name": "slow"}, "provisioner": "example.com/p"},
)
_GROUPS = {
    "PriorityClass": "scheduling.k8s.io/v1",
    "RuntimeClass": "node.k8s.io/v1",
    "StorageClass": "storage.k8s.io/v1",
}
_DEFAULT = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "normal"},
    "value": 100,
    "globalDefault": True,
}
_CONFIGURATION = """
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ResourceQuota
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ResourceQuotaConfiguration
    limitedResources:
    - resource: pods
      matchScopes:
      - {scopeName: PriorityClass, operator: In, values: [system-node-critical]}
    - resource: services
      matchContains: [services.loadbalancers]
"""
_LIMITED = limited_of(
    {
        "limitedResources": [
            {
                "resource": "pods",
                "matchScopes": [
                    {
                        "scopeName": "PriorityClass",
                        "operator": "In",
                        "values": ["system-node-critical"],
                    }
                ],
            },
            {"resource": "services", "matchContains": ["services.loadbalancers"]},
        ]
    }
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A kube-apiserver with the plug-ins that are compared, and one configured limit."""
    file = tmp_path_factory.mktemp("admission") / "config.yaml"
    file.write_text(_CONFIGURATION)
    flags = (
        "--enable-admission-plugins=LimitRanger,ResourceQuota,NodeRestriction",
        f"--admission-control-config-file={file}",
    )
    try:
        with run(arguments=flags) as found:
            for raw in _SHARED:
                raw = {"apiVersion": _GROUPS[raw["kind"]], **raw}
                found.request("POST", found.collection(raw), raw)
            yield found
    except Missing as missing:
        pytest.skip(str(missing))


def _play(server: ApiServer, seeds: range) -> list[Side]:
    """Worlds side by side: all that bounds them first, then the objects."""
    sides = [Side(server, world(seed, f"w{seed}"), _LIMITED, kept=CONTROLLED) for seed in seeds]
    shared = [{"apiVersion": _GROUPS[raw["kind"]], **raw} for raw in _SHARED]
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    if any(raw["metadata"]["name"] == "normal" for raw in server.request("GET", path)["items"]):
        shared.append(_DEFAULT)
    for side in sides:
        side.bound()
    if CONTROLLED:
        time.sleep(3)
    else:
        for side in sides:
            side.settle()
    time.sleep(_SETTLED)
    differences: list[str] = []
    for side in sides:
        side.open(shared)
        try:
            side.play()
            if not CONTROLLED:
                side.used()
        except Difference as difference:
            differences.append(f"seed {side.given.namespace}: {difference}")
    if CONTROLLED:
        time.sleep(6)  # a whole round of the controller
        for side in sides:
            try:
                side.counted()
            except Difference as difference:
                differences.append(f"seed {side.given.namespace}: {difference}")
    assert not differences, "\n".join([f"{len(differences)} worlds differ", *differences[:4]])
    return sides


@pytest.mark.apiserver
def test_random_worlds_like_the_server(server: ApiServer) -> None:
    half = WORLDS // 2
    with controller(server, CONTROLLED):
        sides = _play(server, range(SEED, SEED + half))
        server.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", _DEFAULT)
        sides += _play(server, range(SEED + half, SEED + WORLDS))
    sent = sum(side.sent for side in sides)
    refused = sum(side.refused for side in sides)
    by_quota = sum(side.quota_refused for side in sides)
    print(f"{len(sides)} worlds, {sent} objects, {refused} refused, {by_quota} of them by quotas")
    assert sent // 6 < refused < sent * 5 // 6
    assert by_quota > len(sides) // 6


def _requests_stay_empty(raw: Any, path: Any, init: bool, template: bool) -> Need:
    """A decoder that forgets to fill requests in from limits."""
    return _decoded(raw, path, init, True)


_decoded = pods._need


@pytest.mark.apiserver
@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (limit_ranges, "_above", lambda one, other, third=0: one >= other),
        (pods, "_need", _requests_stay_empty),
    ],
    ids=["a bound that excludes itself", "requests stay empty"],
)
def test_a_wrong_evaluator_is_caught(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, wrong: Any
) -> None:
    monkeypatch.setattr(module, name, wrong)
    first = 10_000 if name == "_above" else 20_000
    with controller(server, CONTROLLED), pytest.raises(AssertionError, match="worlds differ"):
        _play(server, range(first, first + 12))


@pytest.mark.apiserver
def test_the_command_asks_a_live_cluster(server: ApiServer, tmp_path: Path) -> None:
    given = World("live", [], [], [])
    side = Side(server, given, _LIMITED, kept=CONTROLLED)
    side.bound()
    item = {"type": "Container", "default": {"memory": "512Mi"}}
    bound = thing("LimitRange", "defaults", "live", {"limits": [item]})
    server.request("POST", side.path("LimitRange"), bound)
    hard = {"limits.memory": "1600Mi"}
    held = thing("ResourceQuota", "compute", "live", {"hard": hard})
    made = server.request("POST", side.path("ResourceQuota"), held)
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c"}]}}
    spec = {"replicas": 5, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    file = tmp_path / "web.json"
    file.write_text(json.dumps(thing("Deployment", "web", "live", spec)))
    words = ("resources", "admit", str(file), "-f", "cluster")
    config = server.kubeconfig()
    done = martello(*words, kubeconfig=config)
    assert done.code == 0, done.out + done.err
    assert "it bounds nothing until its controller fills it" in done.out
    used = {"limits.memory": "64Mi"}
    server.request(
        "PUT",
        side.path("ResourceQuota", "compute") + "/status",
        {**made, "status": {"hard": hard, "used": used}},
    )
    done = martello(*words, kubeconfig=config)
    assert done.code == 1, done.out + done.err
    assert "3 of 5 pods" in done.out
    assert "used: limits.memory=1600Mi" in done.out
    done = martello("resources", "quota", "-n", "live", "-f", "cluster", kubeconfig=config)
    assert done.code == 1
    assert "64Mi of 1600Mi" in done.out
