"""ResourceQuota by tables: what is charged, to whom, and when nothing is bounded at all."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.resources.admitting import (
    ask,
    deployment,
    limits,
    pod,
    quota,
    says,
    thing,
    world,
)

from martello.practices.resources.admission.charges import keys_of
from martello.practices.resources.admission.quotas import (
    fresh,
    limited_of,
    quotas,
    remaining,
)
from martello.practices.resources.admission.server import Server
from martello.practices.resources.amounts import Malformed


def _held(used: dict[str, str], **hard: str) -> Any:
    """A quota with its status."""
    return quota(hard=hard, status={"hard": hard, "used": used})


def test_golden_a_quota_without_status_bounds_nothing_in_a_cluster() -> None:
    bare = quota(hard={"pods": "0"})
    found = ask(pod({}), bare, live=True)
    assert found.verdict == "admitted"
    assert "bounds nothing until" in found.notes[0]
    assert quotas(world(bare, live=True), "shop")[0].status == "missing"


def test_golden_files_are_taken_as_in_force_and_it_is_said() -> None:
    found = ask(pod({}), quota(hard={"pods": "0"}))
    assert says(found) == [
        "exceeded quota: quota, requested: pods=1, used: pods=0, limited: pods=0"
    ]
    assert "taken as in force" in found.notes[0]


def test_a_status_without_use_is_unknown() -> None:
    half = quota(hard={"pods": "5"}, status={"hard": {"pods": "5"}})
    found = ask(pod({}), half, live=True)
    assert (found.code, says(found)) == (403, ["status unknown for quota: quota, resources: pods"])


def test_the_status_counts_and_not_the_spec() -> None:
    lagging = quota(hard={"pods": "9"}, status={"hard": {"pods": "1"}, "used": {"pods": "1"}})
    assert ask(pod({}), lagging).code == 403


@pytest.mark.parametrize("minor", [23, 24])
@pytest.mark.parametrize(
    ("key", "resources", "forced"),
    [
        ("cpu", {}, True),
        ("cpu", {"requests": {"cpu": "0"}}, False),
        ("requests.memory", {"limits": {"memory": "1"}}, False),
        ("limits.cpu", {"requests": {"cpu": "1"}}, True),
        ("limits.memory", {"limits": {"memory": "0"}}, False),
        ("requests.ephemeral-storage", {}, False),
        ("limits.ephemeral-storage", {}, False),
        ("requests.example.com/gpu", {}, False),
        ("pods", {}, False),
    ],
)
def test_six_keys_force_every_container(key: str, resources: Any, forced: bool, minor: int) -> None:
    held = quota(hard={key: "50"})
    filled = {"limits": {"cpu": "1", "memory": "1"}}
    for asked, name in ((pod(resources), "c0"), (pod(filled, init=(resources,)), "i0")):
        found = ask(asked, held, kubernetes=minor)
        told = f"failed quota: quota: must specify {key}" + (f" for: {name}" if minor > 23 else "")
        assert says(found) == ([told] if forced else [])


@pytest.mark.parametrize(
    ("key", "used"),
    [
        ("pods", "1"),
        ("count/pods", "1"),
        ("cpu", "3"),
        ("requests.cpu", "3"),
        ("limits.cpu", "5"),
        ("requests.example.com/gpu", "2"),
        ("hugepages-2Mi", "4Mi"),
        ("requests.hugepages-2Mi", "4Mi"),
        ("ephemeral-storage", "1Gi"),
        ("limits.ephemeral-storage", "1Gi"),
        ("count/secrets", "0"),
        ("services", "0"),
        ("example.com/gpu", "0"),
        ("limits.example.com/gpu", "0"),
    ],
)
def test_what_one_pod_costs(key: str, used: str) -> None:
    first = {
        "requests": {"cpu": "1"},
        "limits": {"cpu": "2", "memory": "1Gi", "example.com/gpu": "2"},
    }
    second = {
        "requests": {"cpu": "2"},
        "limits": {"cpu": "2", "memory": "1Gi", "hugepages-2Mi": "4Mi", "ephemeral-storage": "1Gi"},
    }
    starter = {"requests": {"cpu": "1"}, "limits": {"cpu": "5"}}
    held = _held({key: "0"}, **{key: "100Gi"})
    server = Server(world(held))
    assert server.admit(pod(first, second, init=(starter,))).verdict == "admitted"
    (now,) = server.quotas("shop")
    wanted = _held({key: used}, **{key: "100Gi"})
    assert now.used == quotas(world(wanted), "shop")[0].used
    assert remaining(now)[key] == now.hard[key] - now.used[key]


@pytest.mark.parametrize(("minor", "used"), [(28, "2"), (29, "3")])
def test_sidecars_add_up_since_they_exist(minor: int, used: str) -> None:
    sidecar = {"restartPolicy": "Always", "requests": {"cpu": "1"}}
    asked = pod({"requests": {"cpu": "2"}}, init=(sidecar,))
    found = ask(asked, quota(hard={"cpu": "1"}), kubernetes=minor)
    assert f"requested: cpu={used}," in says(found)[0]


def test_an_init_container_runs_beside_the_sidecars_before_it() -> None:
    sidecar = {"restartPolicy": "Always", "requests": {"cpu": "1"}}
    starter = {"requests": {"cpu": "5"}}
    asked = pod({"requests": {"cpu": "2"}}, init=(sidecar, starter))
    assert "cpu=6," in says(ask(asked, quota(hard={"cpu": "1"})))[0]


def test_golden_a_bomb_of_finished_jobs_passes_pods_and_not_count_pods() -> None:
    done = [
        thing("Pod", f"done-{i}", {"containers": [{"name": "c"}]}, status={"phase": "Succeeded"})
        for i in range(3)
    ]
    assert ask(pod({}), quota(hard={"pods": "1"}), *done).verdict == "admitted"
    found = ask(pod({}), quota(hard={"count/pods": "3"}), *done)
    assert says(found) == [
        "exceeded quota: quota, requested: count/pods=1, used: count/pods=3, limited: count/pods=3"
    ]


def test_services_by_their_ports() -> None:
    def service(kind: str, **more: Any) -> Any:
        ports = [{"port": 1}, {"port": 2, "nodePort": 30000}]
        return thing("Service", "s", {"type": kind, "ports": ports, **more})

    held = quota(hard={"services.nodeports": "1", "services.loadbalancers": "0", "services": "5"})
    assert ask(service("ClusterIP"), held).code == 201
    assert "requested: services.nodeports=2," in says(ask(service("NodePort"), held))[0]
    told = says(ask(service("LoadBalancer"), held))[0]
    assert "requested: services.loadbalancers=1,services.nodeports=2," in told
    bare = service("LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert "requested: services.loadbalancers=1," in says(ask(bare, held))[0]
    assert "services.nodeports=2" in says(ask(bare, held, kubernetes=20))[0]


def test_an_update_is_charged_with_what_it_takes_more() -> None:
    old = thing("Service", "s", {"ports": [{"port": 1}]})
    new = thing("Service", "s", {"type": "NodePort", "ports": [{"port": 1}]})
    full = _held(
        {"services": "1", "services.nodeports": "0"}, **{"services": "1", "services.nodeports": "0"}
    )
    assert says(ask(new, full, old)) == [
        "exceeded quota: quota, requested: services.nodeports=1, used: services.nodeports=0, "
        "limited: services.nodeports=0"
    ]
    assert ask(old, full, new).code == 200  # it takes less: nothing is asked

    def claim(size: str) -> Any:
        return thing("PersistentVolumeClaim", "c", {"resources": {"requests": {"storage": size}}})

    held = _held({"requests.storage": "1Gi"}, **{"requests.storage": "2Gi"})
    assert ask(claim("2Gi"), held, claim("1Gi")).code == 200
    assert "requested: requests.storage=2Gi" in says(ask(claim("3Gi"), held, claim("1Gi")))[0]


def test_claims_by_storage_class_in_whole_bytes() -> None:
    key = "fast.storageclass.storage.k8s.io/requests.storage"
    held = quota(hard={key: "1", "requests.storage": "100Gi"})

    def claim(**more: Any) -> Any:
        spec = {"resources": {"requests": {"storage": "1.1"}}, **more}
        return thing("PersistentVolumeClaim", "c", spec)

    assert f"{key}=2," in says(ask(claim(storageClassName="fast"), held))[0]
    assert ask(claim(storageClassName="slow"), held).code == 201
    default = thing(
        "StorageClass",
        "fast",
        metadata={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    )
    assert ask(claim(), held, default).code == 403
    assert ask(claim(storageClassName=""), held, default).code == 201


def test_claims_are_held_to_their_size() -> None:
    item = limits(
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}
    )

    def claim(size: Any) -> Any:
        return thing("PersistentVolumeClaim", "c", {"resources": {"requests": {"storage": size}}})

    assert ask(claim("1Gi"), item).code == 201
    assert says(ask(claim("3Gi"), item)) == [
        "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"
    ]
    assert says(ask(claim("1M"), item)) == [
        "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1M"
    ]
    assert ask(claim("0"), item).code == 422


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("ConfigMap", "configmaps"),
        ("ConfigMap", "count/configmaps"),
        ("Secret", "secrets"),
        ("Deployment", "count/deployments.apps"),
        ("Deployment", "count/replicasets.apps"),
        ("Job", "count/jobs.batch"),
        ("ResourceQuota", "resourcequotas"),
    ],
)
def test_objects_are_counted(kind: str, key: str) -> None:
    spec: dict[str, Any] = (
        {"template": {"spec": {"containers": []}}} if kind in ("Deployment", "Job") else {}
    )
    full = _held({key: "1"}, **{key: "1"})
    found = ask(thing(kind, "new", spec), full)
    assert says(found) == [
        f"exceeded quota: quota, requested: {key}=1, used: {key}=1, limited: {key}=1"
    ]
    there = thing(kind, "new", spec)
    assert ask(there, full, there).verdict == "admitted"


def test_keys_that_count_nothing() -> None:
    hard = (
        "limits.example.com/gpu",
        "example.com/gpu",
        "count/secrets",
        "requests.example.com/gpu",
    )
    assert keys_of("pods", hard) == {"requests.example.com/gpu"}


def test_all_matching_quotas_must_hold() -> None:
    loose, tight = quota("loose", hard={"pods": "9"}), quota("tight", hard={"pods": "0"})
    found = ask(pod({}), loose, tight)
    assert [m.by.ref.name for m in found.messages if m.by is not None] == ["tight"]


def test_what_is_limited_by_default_needs_a_quota() -> None:
    limited = limited_of(
        {
            "plugins": [
                {
                    "name": "ResourceQuota",
                    "configuration": {
                        "limitedResources": [
                            {"resource": "pods", "matchContains": ["requests.example.com/"]},
                            {
                                "resource": "pods",
                                "matchScopes": [
                                    {
                                        "scopeName": "PriorityClass",
                                        "operator": "In",
                                        "values": ["x"],
                                    }
                                ],
                            },
                        ]
                    },
                }
            ]
        }
    )
    gpu = pod({"limits": {"example.com/gpu": "1"}})
    found = Server(world(), limited=limited).admit(gpu)
    assert says(found) == ["insufficient quota to consume: requests.example.com/gpu"]
    covered = world(quota(hard={"requests.example.com/gpu": "3"}))
    assert Server(covered, limited=limited).admit(gpu).verdict == "admitted"
    found = Server(world(), limited=limited).admit(pod({}, priorityClassName="x"))
    assert found.code == 500  # the server's own slip
    assert says(found) == ["insufficient quota to match these scopes: [{PriorityClass In [x]}]"]
    assert Server(world(), limited=limited).admit(pod({})).verdict == "admitted"
    with pytest.raises(Malformed):
        limited_of({"limitedResources": [{"matchContains": ["cpu"]}]})


def test_deployments_are_admitted_and_the_refusal_hits_their_pods() -> None:
    held = quota(hard={"limits.cpu": "3500m"})
    item = limits({"default": {"cpu": "1"}})
    found = ask(deployment(5, {}), held, item)
    assert (found.verdict, found.fitting, found.wanted) == ("refused", 3, 5)
    assert says(found) == [
        "exceeded quota: quota, requested: limits.cpu=1, used: limits.cpu=3, "
        "limited: limits.cpu=3500m"
    ]
    assert ask(deployment(5, {}), held, item, replicas=2).fitting == 2
    assert ask(deployment(0, {}), held, item).verdict == "admitted"
    assert ask(deployment(1_000_000, {}), held, item).fitting == 3


def test_a_statefulset_makes_claims_before_its_pods() -> None:
    of_claim = {"resources": {"requests": {"storage": "2Gi"}}}
    claim = {"metadata": {"name": "data"}, "spec": of_claim}
    template = {"spec": {"containers": [{"name": "c"}]}}
    spec = {"replicas": 5, "template": template, "volumeClaimTemplates": [claim]}
    asked = thing("StatefulSet", "db", spec)
    found = ask(asked, quota(hard={"requests.storage": "5Gi", "pods": "9"}))
    assert (found.fitting, found.wanted) == (2, 5)
    assert "requested: requests.storage=2Gi, used: requests.storage=4Gi" in says(found)[0]
    assert ask(asked, quota(hard={"pods": "3"})).fitting == 3
    small = limits({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}})
    found = ask(asked, small)
    assert (found.fitting, found.code) == (0, 403)
    there = thing("PersistentVolumeClaim", "data-db-0", of_claim)
    assert ask(asked, there, quota(hard={"persistentvolumeclaims": "1"})).fitting == 5


def test_a_replaced_deployment_makes_room_for_itself() -> None:
    held = quota(hard={"pods": "3"})
    old = deployment(3, {})
    assert ask(deployment(3, {}), held, old).fitting == 3
    other = deployment(1, {}, name="other")
    assert ask(other, held, old).fitting == 0


def test_objects_fill_up_the_quotas_one_after_the_other() -> None:
    server = Server(world())
    assert server.admit(quota(hard={"pods": "2"})).verdict == "admitted"
    codes = [server.admit(pod({}, name=f"p{i}")).code for i in range(3)]
    assert codes == [201, 201, 403]
    assert server.admit(limits({"max": {"cpu": "1"}})).verdict == "admitted"
    assert server.admit(pod({"limits": {"cpu": "2"}}, name="late")).code == 403


def test_quotas_that_could_not_be_read_are_not_judged() -> None:
    blind = Server(world(unlisted={"ResourceQuota": "forbidden"}))
    found = blind.admit(pod({}))
    assert (found.verdict, found.reason) == (
        "unassessed",
        "ResourceQuotas could not be read: forbidden",
    )
    broken = ask(pod({}), quota(hard={"pods": "many"}))
    assert broken.verdict == "unassessed"
    assert "pods" in broken.reason


def test_fresh_quotas_have_nothing_taken() -> None:
    (held,) = quotas(world(_held({"pods": "2"}, pods="3")), "shop")
    assert fresh(held).used == {"pods": 0}
    (missing,) = quotas(world(quota(hard={"pods": "3"}), live=True), "shop")
    assert fresh(missing).hard == {"pods": 3000}
