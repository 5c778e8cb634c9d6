"""Pods of live worlds and of files."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.support.objects import reading

from martello.core.cluster import Cluster
from martello.core.errors import BadInput
from martello.core.resource import Nowhere, resource_of
from martello.practices.resources.node.model import Pod, Use, Volume
from martello.practices.resources.node.pods import pods

MI = 1 << 20
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: web:1
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
"""


def found(text: str, use: Any = None, kubernetes: int = 37) -> list[Pod]:
    return list(pods(reading(text).world(kubernetes), use))


def live(*objects: dict[str, Any], kubernetes: int = 37) -> list[Pod]:
    return list(pods(Cluster([resource_of(o, Nowhere()) for o in objects], kubernetes=kubernetes)))


def live_pod(name: str, **more: Any) -> dict[str, Any]:
    spec = {"nodeName": "n1", "containers": [{"name": "app", "image": "web:1"}], **more}
    status = spec.pop("status", {"phase": "Running"})
    metadata = {"name": name, "namespace": "shop", **spec.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def test_files_make_the_replicas_of_workloads() -> None:
    first, second, third = found(DEPLOYMENT)
    assert [one.key for one in (first, second, third)] == [f"shop/web-{i}" for i in range(3)]
    assert first.workload == "deploy/web"
    assert first.owner == "shop/deploy/web"
    assert first.request == {"cpu": 100, "memory": 64 * MI * 1000}
    assert first.limit == {"memory": 128 * MI * 1000}
    assert first.qos == "Burstable"
    assert (first.node, first.started) == ("", 0.0)
    assert first.raw["metadata"]["labels"] == {"app": "web"}
    assert first.raw["spec"]["restartPolicy"] == "Always"


@pytest.mark.parametrize(
    ("kind", "spec", "count"),
    [
        ("Deployment", "replicas: 0", 0),
        ("Deployment", "", 1),
        ("DaemonSet", "", 2),  # one a node
        ("Job", "parallelism: 4", 4),
        ("Job", "parallelism: many", 1),
    ],
)
def test_how_many_pods_a_workload_makes(kind: str, spec: str, count: int) -> None:
    group = "batch/v1" if kind == "Job" else "apps/v1"
    node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: n%d}\n"
    text = DEPLOYMENT.replace("kind: Deployment", f"kind: {kind}").replace("apps/v1", group)
    text = text.replace("replicas: 3", spec or "revisionHistoryLimit: 1")
    assert len(found(text + node % 1 + node % 2)) == count


def test_defaults_of_a_limit_range_are_filled_in() -> None:
    text = (
        DEPLOYMENT
        + """
---
apiVersion: v1
kind: LimitRange
metadata: {name: r, namespace: shop}
spec: {limits: [{type: Container, default: {cpu: "1", ephemeral-storage: 1Gi}}]}
"""
    )
    first = found(text)[0]
    assert first.limit["cpu"] == 1_000
    assert first.request["cpu"] == 100  # its own
    assert first.request["ephemeral-storage"] == 1024 * MI * 1000


def test_amounts_that_no_server_takes_are_refused_with_their_place() -> None:
    with pytest.raises(BadInput) as error:
        found(DEPLOYMENT.replace("100m", "-1"))
    assert "negative" in error.value.why
    assert ":" in error.value.why


def test_too_many_pods_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("martello.practices.resources.node.pods.MOST", 1_000)
    assert len(found(DEPLOYMENT.replace("replicas: 3", "replicas: 1000"))) == 1_000
    with pytest.raises(BadInput, match="too many pods"):
        found(DEPLOYMENT.replace("replicas: 3", "replicas: 2147483647"))


def test_a_live_world_has_the_pods_that_run() -> None:
    owner = {"kind": "ReplicaSet", "name": "web-5d7f9", "uid": "1", "controller": True}
    mirror = {"kubernetes.io/config.mirror": "x"}
    running = live(
        live_pod("a", status={"phase": "Running", "startTime": "2026-03-01T10:00:00Z"}),
        live_pod("done", status={"phase": "Succeeded"}),
        live_pod("broken", status={"phase": "Failed"}),
        live_pod("waits", nodeName="", status={"phase": "Pending"}),
        live_pod("static", metadata={"annotations": mirror}),
        live_pod(
            "web-5d7f9-x",
            metadata={"ownerReferences": [owner], "labels": {"pod-template-hash": "5d7f9"}},
            status={"phase": "Running", "qosClass": "Guaranteed"},
        ),
    )
    by_name = {one.name: one for one in running}
    assert by_name.keys() == {"a", "waits", "static", "web-5d7f9-x"}
    assert by_name["a"].started == 1_772_359_200.0
    assert by_name["static"].started == math.inf  # the latest of all
    assert (by_name["a"].node, by_name["waits"].node) == ("n1", "")
    assert by_name["static"].critical
    assert by_name["web-5d7f9-x"].workload == "deploy/web"
    assert by_name["web-5d7f9-x"].qos == "Guaranteed"  # what the server wrote
    assert by_name["a"].workload == "pod/a"


def test_a_limit_range_that_came_later_changes_no_pod_that_runs() -> None:
    later = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "r", "namespace": "shop"},
        "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]},
    }
    assert live(live_pod("a"), later)[0].request == {}


def resources(**requests: str) -> dict[str, Any]:
    return {"resources": {"requests": requests}}


def test_init_containers_and_sidecars_add_up_as_the_version_has_it() -> None:
    made = live_pod(
        "a",
        containers=[{"name": "c", **resources(cpu="300m")}],
        initContainers=[
            {"name": "s", "restartPolicy": "Always", **resources(cpu="100m")},
            {"name": "i", **resources(cpu="350m")},
        ],
        overhead={"cpu": "10m"},
    )
    (recent,) = live(made)
    assert recent.request == {"cpu": 460}  # the init container runs beside the sidecar
    assert [(part.name, part.sidecar) for part in recent.parts] == [("c", False), ("s", True)]
    (old,) = live(made, kubernetes=27)
    assert old.request == {"cpu": 360}
    assert [part.name for part in old.parts] == ["c"]


def test_what_the_pod_says_as_a_whole_counts_from_1_34() -> None:
    made = live_pod(
        "a",
        containers=[{"name": "c", **resources(cpu="300m")}],
        resources={"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "1Gi"}},
    )
    (recent,) = live(made)
    assert recent.request == {"cpu": 1_000, "memory": 1024 * MI * 1000}
    assert recent.limit == {"cpu": 2_000, "memory": 1024 * MI * 1000}
    assert live(made, kubernetes=33)[0].request == {"cpu": 300}


def test_a_cap_of_the_whole_pod_takes_one_of_every_container() -> None:
    limits = {"resources": {"limits": {"memory": "1Gi", "cpu": "1"}}}
    both = live_pod("a", containers=[{"name": "c", **limits}, {"name": "d", **limits}])
    one = live_pod("b", containers=[{"name": "c", **limits}, {"name": "d"}])
    first = live_pod("c", containers=[{"name": "c", **limits}], initContainers=[{"name": "i"}])
    assert [pod.limit.get("cpu") for pod in live(both, one, first)] == [2_000, None, None]
    assert live(first, kubernetes=20)[0].limit["cpu"] == 1_000


def test_priority_and_preemption_come_from_their_class() -> None:
    def made(name: str, value: int, **more: Any) -> dict[str, Any]:
        return {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            **more,
        }

    classes = (
        made("high", 1_000, preemptionPolicy="Never"),
        made("usual", 7, globalDefault=True),
    )
    written = (
        live_pod("a", priorityClassName="high"),
        live_pod("b"),
        live_pod("c", priority=3),
        live_pod("d", priorityClassName="system-node-critical"),
        live_pod("e", priorityClassName="unknown"),
        live_pod("f", preemptionPolicy="Never"),
    )
    told = [(one.priority, one.preempts) for one in live(*classes, *written)]
    assert told == [
        (1_000, False),
        (7, True),
        (3, True),
        (2_000_001_000, True),
        (0, True),
        (7, False),
    ]


def test_volumes_and_namespaces_of_the_node() -> None:
    volumes = [
        {"name": "a", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "b", "emptyDir": {"sizeLimit": "0"}},
        {"name": "c"},
        {"name": "d", "hostPath": {"path": "/"}},
        "odd",
    ]
    (one,) = live(live_pod("a", volumes=volumes, hostPID=True, hostNetwork=True))
    assert one.volumes == (
        Volume("a", True, MI),
        Volume("b", False, None),
        Volume("c", False, None),  # an emptyDir by default
    )
    assert one.host_pid
    assert one.host_network


def test_the_overhead_of_a_runtime_class_is_added() -> None:
    runtime = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "kata"},
        "handler": "kata",
        "overhead": {"podFixed": {"memory": "1Mi"}},
    }
    (one,) = live(runtime, live_pod("a", runtimeClassName="kata"))
    assert one.request == {"memory": MI * 1000}


def test_use_is_told_by_pod_by_container_or_by_workload() -> None:
    seen = Use(memory=5)
    by_pod = found(DEPLOYMENT, {"shop/web-1": seen, "shop/web-1/app": Use(cpu=1)})
    assert [one.use for one in by_pod] == [Use(), seen, Use()]
    assert by_pod[1].parts[0].use == Use(cpu=1)
    by_workload = found(DEPLOYMENT, {"shop/deploy/web/app": seen})
    assert [one.parts[0].use for one in by_workload] == [seen] * 3


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": 5, "resources": {}}]},
        {"containers": [{}], "volumes": {"a": 1}, "priority": "high", "overhead": []},
        {"containers": [{}], "initContainers": [None], "priorityClassName": ["a"]},
    ],
)
def test_parts_of_the_wrong_kind_are_left_out(spec: dict[str, Any]) -> None:
    (one,) = live(live_pod("a", **spec))
    assert one.priority == 0


@pytest.mark.parametrize("containers", [[], "many", [None]])
def test_a_pod_without_a_container_is_none(containers: Any) -> None:
    assert live(live_pod("a", containers=containers), live_pod("b"))[0].name == "b"


def test_workloads_of_one_name_have_pods_of_their_own() -> None:
    other = DEPLOYMENT.replace("kind: Deployment", "kind: StatefulSet")
    names = {one.name for one in found(f"{DEPLOYMENT}\n---\n{other}")}
    assert names == {f"web-{kind}-{index}" for kind in ("deploy", "sts") for index in range(3)}


def test_amounts_beyond_64_bits_are_counted_as_the_most() -> None:
    huge = {"name": "c", "resources": {"limits": {"cpu": "1e400", "memory": "1e400"}}}
    (one,) = live(live_pod("a", containers=[huge]))
    assert set(one.limit.values()) == {((1 << 63) - 1) * 1000}
    assert one.limit == one.request == one.parts[0].limits


def test_a_kind_of_resources_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput):
        live(live_pod("a", containers=[{"name": "c", "resources": []}]))
