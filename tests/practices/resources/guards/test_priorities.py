"""Quotas of priority classes, and a class for what others rely on: made from what is there, proved
like all guards, and of use to those who get it. PRIORITIES=200 makes more worlds.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from tests.support.resources.guarded import deployment, hook, may, priority_class, thing, world

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.core.selector import equal
from martello.practices.resources.admission.server import Server
from martello.practices.resources.blast import remedy
from martello.practices.resources.blast.facade import World
from martello.practices.resources.guards import platform
from martello.practices.resources.guards.generate import Raised, generate
from martello.practices.resources.guards.model import Evidence, Guards, Proof
from martello.practices.resources.guards.platform import platform_class, relied_on
from martello.practices.resources.guards.prove import prove, proved
from martello.practices.resources.guards.scoring import Before, State
from martello.practices.resources.node.pods import pods
from martello.practices.resources.node.settings import nodes

WORLDS = int(os.environ.get("PRIORITIES", "12"))
SPACES = ("gate", "shop")


def cluster(*raws: dict[str, Any], live: bool = False) -> Cluster:
    """These objects, and a node."""
    size = {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi", "pods": "110"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    node["status"] = {"capacity": size, "allocatable": size}
    name = "live" if live else ""
    return Cluster([resource_of(raw, Nowhere(), name) for raw in (node, *raws)], name=name)


def state(given: Cluster) -> State:
    """Containers, and administrators of a namespace."""
    return State(nodes(given), may=may, levels=("container", "namespace"))


def made(given: Cluster, *spaces: str) -> tuple[Guards, Proof]:
    """The guards of these namespaces, of both where none is named, and their proof."""
    return proved(given, spaces or SPACES, Evidence(), state(given))


def gate(**spec: Any) -> list[dict[str, Any]]:
    """A webhook's workload, and a neighbour that may displace it."""
    return [
        priority_class("high", 1000),
        *hook(),
        deployment("policy", "gate", **spec),
        deployment("etl", "shop", 1, priorityClassName="high"),
    ]


def hungry(**spec: Any) -> dict[str, Any]:
    """A neighbour that may take nearly all memory of its node."""
    found = deployment("etl", "shop", 1, **spec)
    (container,) = found["spec"]["template"]["spec"]["containers"]
    container["resources"]["limits"] = {"memory": "7900Mi"}
    return found


def quota(guards: Guards, name: str, space: str = "shop") -> dict[str, Any]:
    """The spec of a quota; empty where it is not made."""
    found = [o.spec for o in guards.objects if (o.ref.name, o.ref.namespace) == (name, space)]
    return found[0] if found else {}


def values(spec: dict[str, Any]) -> list[str]:
    """The classes that it is about."""
    (scope,) = spec["scopeSelector"]["matchExpressions"]
    assert (scope["scopeName"], scope["operator"]) == ("PriorityClass", "In")
    return list(scope["values"])


def test_no_class_that_is_not_used_and_no_more_of_one_that_is() -> None:
    scaler = {"scaleTargetRef": {"kind": "Deployment", "name": "etl"}, "maxReplicas": 9}
    given = cluster(
        *(priority_class("high", 1000), priority_class("mid", 100), priority_class("low", -5)),
        deployment("etl", "shop", 1, priorityClassName="high"),
        deployment("batch", "shop", 1, priorityClassName="low"),
        thing("HorizontalPodAutoscaler", "etl", "shop", scaler),
    )
    guards, proof = made(given, "shop")
    closed = quota(guards, "martello-priority")
    assert closed["hard"] == {"pods": "0"}
    assert values(closed) == ["mid", "system-cluster-critical", "system-node-critical"]
    held = quota(guards, "martello-priority-high")
    assert values(held) == ["high"]
    assert held["hard"] == {"requests.cpu": "800m", "requests.memory": "1Gi", "pods": "15"}
    assert not quota(guards, "martello-priority-low")  # it displaces nobody
    rooms = {r.key: r.most for r in proof.headroom if r.quota == "martello-priority-high"}
    assert rooms["pods"] == 12_000  # nine, and a quarter of them in a roll-out
    assert proof.holds


def test_a_workload_that_is_set_to_none_may_start_again() -> None:
    low = deployment("web", "shop", 0, priorityClassName="high")
    given = cluster(priority_class("high", 1000), low)
    guards, proof = made(given, "shop")
    assert "high" not in values(quota(guards, "martello-priority"))
    assert proof.holds
    server = Server(given.apply(guards.objects))
    one = {**low, "spec": {**low["spec"], "replicas": 1}}
    found = server.admit(resource_of(one, Nowhere()))
    assert (found.verdict, found.fitting) == ("admitted", 1)


def test_the_system_keeps_its_classes_in_its_namespace() -> None:
    """Nothing of it is there but static pods, and the next upgrade may bring more."""
    spec = {"containers": [{"name": "c", "image": "x:1", "resources": {"requests": {"cpu": "2"}}}]}
    static = thing("Pod", "etcd-n", "kube-system", {**spec, "nodeName": "n"})
    static["spec"]["priorityClassName"] = "system-node-critical"
    static["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    static["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u", "controller": True}
    ]
    guards, proof = made(cluster(static, live=True), "kube-system")
    assert not quota(guards, "martello-priority", "kube-system")
    rooms = {r.key: (r.now, r.most) for r in proof.headroom if r.quota == "martello-compute"}
    assert rooms["requests.cpu"] == (2000, 2000)
    assert rooms["pods"] == (1000, 1000)
    assert proof.holds


@pytest.mark.parametrize("more", [1, 3])
def test_a_daemon_comes_to_new_nodes(more: int) -> None:
    agent = deployment("agent", "shop", priorityClassName="high")
    agent["kind"], spec = "DaemonSet", agent["spec"]
    del spec["replicas"]
    size = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    node = {"apiVersion": "v1", "kind": "Node", "status": {"allocatable": size, "capacity": size}}
    nodes = [{**node, "metadata": {"name": f"n{n}"}} for n in range(6)]
    given = cluster(priority_class("high", 1000), agent, *nodes[:2])
    guards, proof = made(given, "shop")
    assert proof.holds
    grown = given.apply([resource_of(one, Nowhere()) for one in nodes[: 2 + more]])
    found = Server(grown.apply(guards.objects)).admit(resource_of(agent, Nowhere()))
    assert (found.verdict, found.fitting) == ("admitted", 3 + more)


def test_on_how_many_nodes_a_daemon_runs_is_told_as_assumed() -> None:
    agent = deployment("agent", "shop")
    agent["kind"] = "DaemonSet"
    del agent["spec"]["replicas"]
    alone = Cluster([resource_of(agent, Nowhere())])
    guards, _ = proved(alone, ("shop",), Evidence(), State(nodes(alone)))
    assert "the nodes of shop/ds/agent (one, and one that comes)" in guards.assumed
    guards, _ = made(cluster(agent), "shop")
    assert not any("nodes" in one for one in guards.assumed)


def test_the_default_class_is_what_others_are_measured_by() -> None:
    usual = priority_class("usual", 500, globalDefault=True)
    given = cluster(usual, priority_class("lower", 100), deployment("web", "shop"))
    guards, _ = made(given, "shop")
    assert "lower" not in values(quota(guards, "martello-priority"))
    assert not quota(guards, "martello-priority-usual")


def test_what_a_quota_of_somebody_tells_of_a_class_stays_theirs() -> None:
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
    own = {"hard": {"pods": "7"}, "scopeSelector": {"matchExpressions": [scope]}}
    given = cluster(*gate(), thing("ResourceQuota", "own", "shop", own))
    guards, proof = made(given)
    assert not quota(guards, "martello-priority-high")
    assert proof.holds


@pytest.mark.parametrize("name", ["High", "-", "a" * 201, "a/b", "a\n"])
def test_a_name_that_is_no_name_gives_no_quota(name: str) -> None:
    guards, _ = made(cluster(deployment("web", "shop", priorityClassName=name)), "shop")
    assert [one.ref.name for one in guards.objects if "priority" in one.ref.name] == [
        "martello-priority"
    ]


def test_what_a_webhook_needs_gets_a_class_where_a_neighbour_may_displace_it() -> None:
    given = cluster(*gate())
    guards, proof = made(given)
    (cls,) = guards.classes
    assert cls.raw["value"] == 1_000_000
    assert cls.raw["preemptionPolicy"] == "Never"
    assert cls.raw["globalDefault"] is False
    (patch,) = guards.patches
    assert patch.ref.local == "gate/Deployment/policy"
    assert patch.body["spec"]["template"]["spec"] == {"priorityClassName": "martello-platform"}
    assert patch.says == (
        "priorityClassName martello-platform: answers the admission webhook policy.example.com",
    )
    assert [(one.owner, one.by) for one in proof.kept] == [
        ("gate/deploy/policy", (("placement", 1, 0),))
    ]
    assert proof.holds
    assert "martello-platform" in values(quota(guards, "martello-priority"))
    gates = quota(guards, "martello-priority", "gate")
    assert values(gates) == ["high", "system-cluster-critical", "system-node-critical"]
    held = quota(guards, "martello-priority-martello-platform", "gate")
    assert held["hard"]["pods"] == "6"


def test_with_all_of_it_applied_there_is_nothing_more_to_do() -> None:
    given = cluster(*gate())
    first, _ = made(given)
    after = given.apply((*first.classes, *first.objects, *(p.after for p in first.patches)))
    again, proof = made(after)
    assert not again.classes
    assert not again.patches
    assert [one.raw for one in again.objects] == [one.raw for one in first.objects]
    assert proof.holds


@pytest.mark.parametrize(
    "raws",
    [
        [priority_class("high", 1000), *hook(), deployment("policy", "gate")],
        [*gate()[1:4], deployment("etl", "shop", 1)],
        [*gate()[1:4], hungry()],
        [*gate()[:1], *hook("Ignore"), *gate()[3:]],
        [*gate()[:1], *hook(rules=False), *gate()[3:]],
        gate(priorityClassName="system-cluster-critical"),
        gate(priorityClassName="high"),
    ],
    ids=[
        "nobody beside it",
        "no class",
        "the kernel kills",
        "may be gone",
        "never asked",
        "the system's",
        "has one",
    ],
)
def test_no_class_where_none_is_needed(raws: list[dict[str, Any]]) -> None:
    guards, proof = made(cluster(*raws))
    assert not guards.classes
    assert not guards.patches
    assert proof.holds


def test_the_class_is_above_all_others_or_there_is_none() -> None:
    top = deployment("top", "shop", 1, priorityClassName="top")
    for value, says in (
        (999_999_999, 1_000_000_000),
        (1_000_000_000, None),
        (5_500_000, 6_000_000),
    ):
        given = cluster(*gate(), priority_class("top", value), top)
        guards, proof = made(given)
        assert [cls.raw["value"] for cls in guards.classes] == ([] if says is None else [says])
        assert proof.holds
        assert (
            "PriorityClass martello-platform: no class may be above those in use" in (guards.left)
        ) == (says is None)
    earlier = priority_class("martello-platform", 77_000, preemptionPolicy="Never")
    found = platform_class(cluster(earlier), (), ())
    assert found is not None
    assert found.raw["value"] == 77_000  # the server lets nobody change it


def test_who_is_relied_on_is_told_why() -> None:
    api = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService"}
    asked = {"service": {"namespace": "gate", "name": "policy"}}
    agent = deployment("agent", "shop", tolerations=[{"operator": "Exists"}])
    agent["kind"] = "DaemonSet"
    some = deployment("some", "shop", tolerations=[{"operator": "Exists", "key": "gpu"}])
    some["kind"] = "DaemonSet"
    served = {**api, "metadata": {"name": "v1.x"}, "spec": asked}
    given = cluster(hook()[1], served, deployment("policy", "gate"), agent, some)
    assert relied_on(given, ["shop/deploy/pay"]) == {
        "gate/deploy/policy": "serves the API v1.x",
        "shop/ds/agent": "is on every node, whatever its taints",
        "shop/deploy/pay": "is named in [crown]",
    }


def test_what_many_webhooks_call_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    def counting(selector: dict[str, str], labels: dict[str, str]) -> bool:
        asked.append(labels)
        return equal(selector, labels)

    monkeypatch.setattr(platform, "equal", counting)
    config, service = hook()
    config["webhooks"] *= 50
    found = relied_on(cluster(config, service, deployment("policy", "gate")))
    assert (list(found), len(asked)) == (["gate/deploy/policy"], 1)


def test_a_default_for_all_is_no_proof() -> None:
    """What a class with globalDefault would do: raise others that no patch names."""
    given = cluster(*gate(), deployment("web", "shop"))
    why = {"gate/deploy/policy": "of the test"}
    before = Before(given, state(given))
    plain = platform_class(given, before.pods, why)
    assert plain is not None
    assert prove(
        given, generate(given, SPACES, Evidence(), raised=Raised(plain, why)), before
    ).holds
    raw = {**plain.raw, "globalDefault": True}
    raised = Raised(resource_of(raw, Nowhere()), why)
    proof = prove(given, generate(given, SPACES, Evidence(), raised=raised), before)
    assert not proof.holds
    assert proof.moved == ("shop/deploy/web",)


def test_pods_that_run_keep_their_priority_until_they_are_made_anew() -> None:
    raws = [*gate(), deployment("web", "shop")]
    owned = []
    for raw in raws:
        if raw["kind"] != "Deployment":
            continue
        name, space = raw["metadata"]["name"], raw["metadata"]["namespace"]
        raw["metadata"]["uid"] = name
        pod = thing("Pod", f"{name}-1", space, dict(raw["spec"]["template"]["spec"]))
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": name}
        pod["metadata"] |= {"ownerReferences": [{**owner, "controller": True}]}
        pod["metadata"]["labels"] = {"app": name}
        value = 1000 if "priorityClassName" in pod["spec"] else 0
        pod["spec"] |= {"nodeName": "m" if name == "web" else "n", "priority": value}
        pod["spec"]["preemptionPolicy"] = "PreemptLowerPriority"
        pod["status"] = {"phase": "Running"}
        owned.append(pod)
    size = {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi", "pods": "110"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "m"}}
    beside = {**node, "status": {"capacity": size, "allocatable": size}}
    guards, proof = made(cluster(*raws, beside, *owned, live=True))
    assert proof.holds, proof
    assert not proof.refused
    assert [patch.ref.name for patch in guards.patches] == ["policy"]
    assert [(one.owner, one.by) for one in proof.kept] == [
        ("gate/deploy/policy", (("placement", 2, 0),))
    ]


@pytest.mark.parametrize("part", range(3))
def test_of_random_worlds_no_score_rises_and_everything_is_let_in(part: int) -> None:
    """With the class no score is higher than with the other guards, nor those higher than before;
    nobody's priority moves but of those whom a patch names.
    """
    raised = 0
    for seed in range(part, WORLDS, 3):
        choice = random.Random(seed)
        raws = [priority_class("high", 1000), priority_class("low", -10), *hook()]
        raws += world(2 * seed, "shop") + world(2 * seed + 1, "gate")
        raws.append(deployment("policy", "gate", choice.choice((1, 3))))
        given = cluster(*raws)
        guards, proof = made(given)
        assert proof.holds, (seed, proof)
        raised += len(guards.classes)
        asked = {patch.ref.name for patch in guards.patches}
        assert asked <= {"policy"}
        assert bool(asked) == bool(guards.classes) == bool(proof.kept)
        before = Before(given, state(given))
        plain = prove(given, generate(given, SPACES, Evidence()), before)
        for one, other in zip(plain.scores, proof.scores, strict=True):
            assert other.worst[1] <= one.worst[1], seed
            assert other.mean[1] <= one.mean[1], seed
            assert list(other.worst) == sorted(other.worst, reverse=True), seed
        after = given.apply((*guards.classes, *(patch.after for patch in guards.patches)))
        ranks = {pod.key: (pod.owner, pod.priority) for pod in pods(given)}
        for pod in pods(after):
            owner, priority = ranks[pod.key]
            assert pod.priority == priority or owner == "gate/deploy/policy"
    assert raised


def test_the_cheapest_guards_close_classes_that_are_not_used() -> None:
    """Those of the cluster, too: else a neighbour is displaced all the same."""
    given = cluster(*gate(), deployment("web", "shop"))
    asked = state(given)
    whole = World(given, pods(given), asked.nodes, may)
    here = remedy.State(given, pods(given), tuple(asked.nodes), may)
    (blast,) = (whole.blast(owner, "namespace") for owner in ["gate/deploy/policy"])
    found = remedy.remedies(whole, here, blast)
    assert found is not None
    assert "quota of no pod of a priority class that is not used in gate" in [
        guard.says for guard in found.guards
    ]
    placement = next(harm for harm in found.after.harms if harm.resource == "placement")
    assert not placement.victims


def test_files_may_hold_pods_of_the_names_that_a_workload_gives() -> None:
    """As `kubectl get -o yaml` writes them, without nodes: two of one name, of two owners."""
    web = deployment("web", "shop")
    twin = thing("Pod", "web-0", "shop", dict(web["spec"]["template"]["spec"]))
    for raws in ((web, twin), (twin, web)):
        _, proof = made(cluster(*raws), "shop")
        assert proof.holds
