"""The blast radius by resource and by level of attacker."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.resources.blasts import (
    GI,
    MI,
    harm,
    hurt,
    made,
    node,
    objects,
    pod,
    quota,
    token,
)

from martello.core.cluster import Cluster
from martello.practices.resources.blast.facade import OF_NODES, World, blast, blast_all, facts
from martello.practices.resources.blast.model import Blast, Level, Resource, Rights
from martello.practices.resources.blast.score import gravity
from martello.practices.resources.blast.stage import Stage, Taken
from martello.practices.resources.node import share
from martello.practices.resources.node.model import Node, Pod, Use, Volume

CALM: dict[str, Any] = {"limits": {"memory": 64 * MI, "cpu": 100}}


def _blast(*pods: Pod, nodes: tuple[Node, ...] = (node(),), **more: Any) -> Blast:
    level: Level = more.pop("level", "container")
    world = more.pop("world", Cluster([]))
    return blast(world, pods, nodes, pods[0].owner, level, **more)


def _beyond(
    *pods: Pod,
    level: Level,
    rights: Rights | None = None,
    world: Cluster | None = None,
    nodes: tuple[Node, ...] = (node(),),
    tenants: dict[str, frozenset[str]] | None = None,
) -> Blast:
    def may(one: Pod) -> Rights:
        if one.owner == pods[0].owner:
            return rights or Rights()
        return token(one.namespace, one.workload.partition("/")[2])

    found = world or Cluster([])
    return _blast(*pods, nodes=nodes, level=level, world=found, may=may, tenants=tenants)


def test_the_nodes_own_services_that_fall_behind_are_told_and_nothing_guards_them() -> None:
    busy = (node(used_by_system=Use(cpu=2000, memory=0, pids=0, disk=0, inodes=0)),)
    found = harm(_blast(pod("web", cpu=2000), nodes=busy), "cpu")
    # 4 cores by weight: 100 for what is outside, 157 for all pods of a node of 4 cores
    assert found.why == "the node's own services get 444m less than they need"
    assert (found.guard, found.victims) == (None, ())
    bounded = harm(_blast(pod("web", cpu=100, limits={"cpu": 100}), nodes=busy), "cpu")
    assert bounded.why == ""
    rights = Rights(pods=frozenset(("shop",)))
    created = harm(_beyond(pod("web", **CALM), nodes=busy, level="token", rights=rights), "cpu")
    assert created.why == found.why
    assert created.guard is None


def test_replicas_of_one_template_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[share.Key] = []
    lost = share.Shares.lost

    def counted(shares: share.Shares, attacker: share.Key) -> dict[share.Key, float]:
        asked.append(attacker)
        return lost(shares, attacker)

    monkeypatch.setattr(share.Shares, "lost", counted)
    first = pod("web-0", workload="deploy/web", cpu=100)
    twins = tuple(msgspec.structs.replace(first, name=f"web-{index}") for index in range(1, 5))
    eager = pod("db", space="data", cpu=100, use=Use(cpu=3900, memory=MI))
    world = World(Cluster([]), (first, *twins, eager), (node(),))
    found = world.blast("shop/deploy/web", "container")
    assert asked == [("shop/web-0", "app")]
    one_by_one = [pod(f"web-{index}", workload="deploy/web", cpu=100) for index in range(5)]
    apart = World(Cluster([]), (*one_by_one, eager), (node(),))
    assert apart.blast("shop/deploy/web", "container") == found


def test_a_workload_that_no_node_takes_is_named() -> None:
    stray = msgspec.structs.replace(pod("db"), node="")
    tainted = node(taints=({"key": "k", "effect": "NoSchedule"},))
    world = World(Cluster([]), (pod("web"), stray), (tainted,))
    assert world.left == ("shop/deploy/db",)


def test_cpu_without_a_limit_leaves_others_their_shares_only() -> None:
    eager = pod("db", space="data", cpu=100, use=Use(cpu=3900, memory=MI))
    found = harm(_blast(pod("web", cpu=2000), eager), "cpu")
    assert (found.take, found.guard) == (None, None)
    (victim,) = found.victims
    assert (victim.key, victim.effect) == ("data/db", "throttled")
    assert victim.amount == pytest.approx(3900 - 4000 * 102 / 2150, abs=3)
    bounded = harm(_blast(pod("web", cpu=100, limits={"cpu": 100}), eager), "cpu")
    assert (bounded.take, bounded.victims) == (100, ())
    assert bounded.guard is not None
    assert bounded.guard.says == "limit 100m"


def test_cpu_quota_that_the_kubelet_does_not_enforce_is_none() -> None:
    eager = pod("db", space="data", cpu=100, use=Use(cpu=3900, memory=MI))
    web = pod("web", cpu=2000, limits={"cpu": 2000})
    assert harm(_blast(web, eager, nodes=(node(cpu_quota=False),)), "cpu").take is None


def test_memory_is_the_union_of_evictions_and_kills() -> None:
    over = pod("over", space="data", use=Use(cpu=1, memory=500 * MI, pids=1, disk=0, inodes=0))
    calm = pod("calm", space="data", memory=200 * MI, use=Use(cpu=1, memory=199 * MI, pids=1))
    found = harm(_blast(pod("web", memory=GI), over, calm), "memory")
    assert found.take is None
    assert found.guard is None
    assert hurt(found)[0] == "data/over"
    assert set(hurt(found)) == {"data/over", "data/calm"}
    bounded = harm(_blast(pod("web", memory=GI, limits={"memory": GI}), over, calm), "memory")
    assert (bounded.take, bounded.victims, bounded.exact) == (GI, (), "exact")


def test_a_limit_of_nothing_is_no_limit() -> None:
    found = harm(_blast(pod("web", memory=0, limits={"memory": 0})), "memory")
    assert (found.take, found.guard) == (None, None)


def test_pids_without_a_limit_leave_nobody_a_fork() -> None:
    found = harm(_blast(pod("web"), pod("db"), nodes=(node(pod_pids=None),)), "pids")
    assert (found.take, found.guard, hurt(found)) == (32_768, None, ["shop/db"])
    assert found.victims[0].effect == "no fork"
    told = harm(_blast(pod("web"), pod("db")), "pids")
    assert (told.take, told.victims) == (1000, ())
    assert told.guard is not None
    assert told.guard.says == "podPidsLimit 1,000"


def test_disk_and_inodes_are_filled_through_what_is_writable() -> None:
    other = pod("db", use=Use(cpu=1, memory=MI, pids=1, disk=GI, inodes=100))
    first = pod("web", container={}, priority=100)
    found = _blast(first, other)
    assert hurt(harm(found, "disk")) == ["shop/db"]
    assert hurt(harm(found, "inodes")) == ["shop/db"]
    limited = _blast(pod("web", container={}, limits={"ephemeral-storage": MI}), other)
    assert harm(limited, "disk").victims == ()
    assert harm(limited, "inodes").take == (MI + 10 * 200 * MI) // 12
    closed = _blast(pod("web"), other)
    assert harm(closed, "disk").guard is not None
    assert harm(closed, "inodes").take == 10


def test_a_volume_without_a_size_is_as_large_as_the_disk() -> None:
    mounts = {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}
    closed = {"securityContext": {"readOnlyRootFilesystem": True}, **mounts}
    for limit, take in ((None, None), (MI, MI + 70 * 200 * MI)):
        web = pod("web", container=closed, volumes=(Volume("tmp", False, limit),))
        assert harm(_blast(web), "disk").take == take


def test_what_nobody_enforces_has_no_bound() -> None:
    found = harm(_blast(pod("web", **CALM)), "unenforced")
    assert (found.take, found.guard) == (None, None)
    assert "conntrack" in found.why


def test_the_score_is_nothing_only_beneath_guards() -> None:
    web = pod("web", limits={"memory": 64 * MI, "cpu": 100}, use=Use(memory=MI, cpu=1))
    assert _blast(web, pod("db", **CALM)).score == 0
    free = _blast(pod("web"), nodes=(node(pod_pids=None),))
    assert 0 < free.score < 1  # alone, and yet without guards
    crowd = _blast(pod("web"), pod("db"), nodes=(node(pod_pids=None),))
    assert crowd.score == 100


def test_priority_crowns_and_replicas_weigh() -> None:
    nodes = (node("a", pod_pids=None), node("b"))
    web = pod("web", node="a")
    db = [pod(f"db-{at}", node=at, workload="sts/db") for at in ("a", "b")]
    cache = pod("cache", node="b")
    half = _blast(web, *db, cache, nodes=nodes)
    assert half.score == pytest.approx(25, abs=0.3)
    crown = _blast(web, *db, cache, nodes=nodes, crown=frozenset(["shop/sts/db"]))
    assert crown.score == pytest.approx(100 * 5 / 2 / 6, abs=0.3)
    assert gravity(crown, frozenset(["shop/sts/db"])) == "critical"


def test_gravity_looks_at_whose_pods_end() -> None:
    free = (node(pod_pids=None),)
    assert gravity(_blast(pod("web"), pod("db", space="data"), nodes=free)) == "high"
    assert gravity(_blast(pod("web"), pod("db"), nodes=free)) == "medium"
    assert gravity(_blast(pod("web", **CALM), pod("db"))) == ""


def test_what_nobody_told_is_marked() -> None:
    assumed = node(pod_pids=None, assumed=frozenset(["pod_pids", "pids"]))
    found = harm(_blast(pod("web"), pod("db"), nodes=(assumed,)), "pids")
    assert (found.exact, found.assumed) == ("unassessed", ("pids", "pod_pids"))
    guarded = node(assumed=frozenset(["pids"]))
    assert harm(_blast(pod("web"), pod("db"), nodes=(guarded,)), "pids").exact == "bound"
    unseen = node(disk=None)
    assert harm(_blast(pod("web", container={}), nodes=(unseen,)), "disk").exact == "unassessed"
    unmeasured = pod("db", memory=MI, use=Use())
    assert "measured use" in harm(_blast(pod("web", **CALM), unmeasured), "memory").assumed


def test_a_token_without_rights_adds_its_own_flow() -> None:
    pods = (pod("web", **CALM), pod("db", **CALM))
    found = _beyond(*pods, level="token", rights=token())
    assert harm(found, "api").take == 245
    assert harm(found, "placement").take == 0
    assert harm(found, "objects").take == 0
    assert found.score == 0
    none = _beyond(*pods, level="token")
    assert harm(none, "api").take == 0


def test_whoever_creates_pods_reaches_every_node() -> None:
    nodes = (node("a"), node("b", taints=({"key": "k", "effect": "NoSchedule"},)))
    pods = (pod("web", node="a", **CALM), pod("db", node="b", space="data", **CALM))
    rights = token(pods=frozenset(["shop"]))
    found = _beyond(*pods, level="token", rights=rights, nodes=nodes)
    assert found.places == ("a", "b")
    placement = harm(found, "placement")
    assert hurt(placement) == ["data/db"]
    assert placement.victims[0].effect == "unschedulable"
    assert "system-node-critical" in placement.why
    assert hurt(harm(found, "memory")) == ["data/db"]
    assert harm(found, "memory").take is None


SYSTEM = ["system-node-critical", "system-cluster-critical"]
SCOPE = {"scopeName": "PriorityClass", "operator": "In", "values": SYSTEM}


def test_quotas_and_minima_bound_who_creates_pods() -> None:
    classes = quota("shop", {"pods": "0"}, scopeSelector={"matchExpressions": [SCOPE]})
    classes["metadata"]["name"] = "classes"
    hard = {"pods": "4", "requests.cpu": "1", "requests.memory": "256Mi"}
    hard |= {"limits.cpu": "1", "limits.memory": "256Mi", "limits.ephemeral-storage": "1Gi"}
    least = {"cpu": "1m", "memory": "4Mi", "ephemeral-storage": "1Mi"}
    minimum = made(
        "LimitRange", "least", "shop", spec={"limits": [{"type": "Container", "min": least}]}
    )
    pods = (pod("web", **CALM), pod("db", space="data", **CALM))
    rights = token(pods=frozenset(["shop"]))

    def ask(*raws: dict[str, Any]) -> Blast:
        return _beyond(*pods, level="token", rights=rights, world=objects(*raws))

    bound = ask(classes, quota("shop", hard), minimum)
    assert harm(bound, "memory").take == 256 * MI
    assert harm(bound, "placement").victims == ()
    assert bound.score < 1
    # A limit of 0 passes the quota, and is none.
    assert harm(ask(classes, quota("shop", hard)), "memory").take is None
    assert hurt(harm(ask(quota("shop", hard), minimum), "placement")) == ["data/db"]
    # A quota of the scope Terminating does not bind who sets no deadline.
    narrow = quota("shop", hard, scopes=["Terminating"])
    assert harm(ask(classes, narrow, minimum), "memory").take is None
    spent = quota("shop", {"pods": "4"})
    spent["status"] = {"hard": {"pods": "4"}, "used": {"pods": "4"}}
    assert harm(ask(spent), "placement").take == 0


def test_objects_fill_etcd_where_no_quota_counts_them() -> None:
    pods = (pod("web", **CALM), pod("db", **CALM))
    rights = token(creates=frozenset([("shop", "", "configmaps")]))

    def ask(*raws: dict[str, Any]) -> Blast:
        return _beyond(*pods, level="token", rights=rights, world=objects(*raws))

    free = ask()
    assert hurt(harm(free, "objects")) == ["kube-apiserver"]
    assert (free.score, gravity(free)) == (100, "critical")
    for key in ("count/configmaps", "configmaps"):
        few = harm(ask(quota("shop", {key: "10"})), "objects")
        assert (few.take, few.victims) == (15 * MI, ())
    many = harm(ask(quota("shop", {"count/configmaps": "2000"})), "objects")
    assert many.guard is None
    assert many.victims
    review = token(creates=frozenset([("", "authorization.k8s.io", "selfsubjectaccessreviews")]))
    asked = _beyond(*pods, level="token", rights=review)
    assert harm(asked, "objects").victims == ()


def test_levels_hold_one_another() -> None:
    pods = (
        pod("web", **CALM),
        pod("db", **CALM),
        pod("job", space="team", memory=MI),
        pod("far", space="other", use=Use(memory=900 * MI, cpu=1, pids=1)),
    )
    tenants = {"shop": frozenset(["shop", "team"]), "team": frozenset(["shop", "team"])}
    scores = []
    victims: set[str] = set()
    for level in ("container", "token", "namespace", "tenant"):
        found = _beyond(*pods, level=level, rights=token(), tenants=tenants)
        told = {key for one in found.harms for key in hurt(one)}
        assert victims <= told, level
        victims = told
        scores.append(found.score)
    assert scores == sorted(scores)
    assert scores[0] == 0
    assert scores[2] == 100


def test_doubts_about_rights_are_told() -> None:
    rights = token(unsure=("Webhook may allow more",))
    found = _beyond(pod("web", **CALM), level="token", rights=rights)
    assert harm(found, "objects").exact == "unassessed"
    assert "Webhook may allow more" in harm(found, "placement").assumed
    assert harm(found, "memory").exact == "exact"


def test_rights_are_needed_beyond_containers() -> None:
    with pytest.raises(ValueError, match="rights"):
        _blast(pod("web"), level="token")
    with pytest.raises(KeyError):
        World(Cluster([]), [], [node()]).blast("shop/deploy/none", "container")


def test_unplaced_pods_go_where_their_words_let_them() -> None:
    nodes = (
        node("gpu", labels={"kind": "gpu"}, taints=({"key": "gpu", "effect": "NoSchedule"},)),
        node("plain"),
    )
    free = pod("free", node="", memory=GI)
    bound = pod(
        "bound",
        node="",
        spec={"nodeSelector": {"kind": "gpu"}, "tolerations": [{"operator": "Exists"}]},
    )
    nowhere = pod("nowhere", node="", spec={"nodeSelector": {"kind": "none"}})
    world = World(Cluster([]), [free, bound, nowhere], nodes)
    assert {one.name: one.node for one in world.pods} == {"free": "plain", "bound": "gpu"}
    assert world.guessed
    assert harm(world.blast("shop/deploy/free", "container"), "cpu").exact == "bound"


def test_any_replica_may_be_the_foothold() -> None:
    nodes = (node("a", pod_pids=None), node("b", pod_pids=None))
    web = [pod(f"web-{at}", node=at, workload="deploy/web") for at in ("a", "b")]
    others = [pod("one", node="a"), pod("two", node="b")]
    found = _blast(*web, *others, nodes=nodes)
    assert hurt(harm(found, "pids")) == ["shop/one", "shop/two"]


def test_each_order_is_sorted_once_a_node() -> None:
    nodes = tuple(node(f"n{at}", pod_pids=None) for at in range(3))
    pods = [
        pod(f"p{at}", node=f"n{at % 3}", memory=MI, container={}, workload=f"deploy/w{at}")
        for at in range(60)
    ]
    world = World(Cluster([]), pods, nodes)
    for owner in world.owners:
        world.blast(owner, "container")
    assert [stage.sorts for stage in world.stages.values()] == [5, 5, 5]


def test_the_pods_of_a_namespace_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many administer it: each adds only what its own pods can do."""
    asked: list[str] = []
    by = Stage.by

    def counting(stage: Stage, resource: Resource, one: Pod) -> Taken:
        asked.append(one.key)
        return by(stage, resource, one)

    monkeypatch.setattr(Stage, "by", counting)
    pods = [pod(f"p{at}", memory=MI, container={}, workload=f"deploy/w{at}") for at in range(40)]
    world = World(Cluster([]), pods, (node(),), lambda _: Rights())
    for owner in world.owners:
        world.blast(owner, "namespace")
    assert len(asked) == 2 * len(OF_NODES) * len(pods)


def test_all_of_a_world_come_worst_first_and_as_facts() -> None:
    free = (node(pod_pids=None),)
    found = blast_all(Cluster([]), [pod("web"), pod("db", space="data")], free)
    assert [one.attacker for one in found] == ["data/deploy/db", "shop/deploy/web"]
    told = [fact for fact in facts(found) if fact.resource == "pids"]
    assert [(one.attacker, one.effect, one.victim, one.sure) for one in told] == [
        ("data/deploy/db", "no fork", "shop/web", True),
        ("shop/deploy/web", "no fork", "data/db", True),
    ]
