"""A cluster with policies nobody shows, traffic that they allow, and what is learned of it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from tests.support.network.naive import Naive
from tests.support.network.objects import Object, cluster
from tests.support.network.random_cluster import DECIDED, NODES, OUTSIDE, PORTS, random_cluster

from martello.core.flow import Flow, Peer
from martello.practices.network.learn.atlas import Atlas
from martello.practices.network.learn.learn import learn
from martello.practices.network.learn.lift import lift
from martello.practices.network.learn.model import Key, Options
from martello.practices.network.model import Profile

POLICIES = (
    "NetworkPolicy",
    "ClusterNetworkPolicy",
    "AdminNetworkPolicy",
    "BaselineAdminNetworkPolicy",
)
ASKED = 260
Question = tuple[str, str, str, int, int]  # source, destination, protocol, port, family


def owned(objects: list[Object], random: Random) -> list[Object]:
    """Half of the pods as two replicas of a Deployment."""
    made: list[Object] = []
    for one in objects:
        if one["kind"] != "Pod" or one["spec"].get("hostNetwork") or random.random() < 0.5:
            made.append(one)
            continue
        made += _deployment(one)
    return made


def _deployment(pod: Object) -> list[Object]:
    space, name = pod["metadata"]["namespace"], f"d-{pod['metadata']['name']}"
    labels = pod["metadata"]["labels"]
    template = {"metadata": {"labels": labels}, "spec": pod["spec"]}
    spec = {"selector": {"matchLabels": labels}, "template": template, "replicas": 2}
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "controller": True}
    ref["uid"] = f"{space}-{name}"
    metadata = {"name": name, "namespace": space, "uid": ref["uid"]}
    made = [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}]
    for number in range(2):
        status = dict(pod["status"])
        ips = [_other(one["ip"], number) for one in status.get("podIPs", ())]
        status |= {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
        meta = {
            "name": f"{name}-{number}",
            "namespace": space,
            "labels": {**labels, "pod-template-hash": "ab"},
            "ownerReferences": [ref],
        }
        made.append({**pod, "metadata": meta, "status": status})
    return made


def _other(ip: str, number: int) -> str:
    if not number:
        return ip
    head, dot, last = ip.rpartition("." if "." in ip else ":")
    return f"{head}{dot}{int(last) + 100}" if dot == "." else f"{head}{dot}{last}f"


def ends(objects: list[Object]) -> dict[str, dict[int, str]]:
    """Every place of a cluster by name, with an address of each family it has."""
    found: dict[str, dict[int, str]] = {}
    for one in objects:
        if one["kind"] == "Pod" and one["status"]["phase"] == "Running":
            meta = one["metadata"]
            if not one["spec"].get("hostNetwork"):
                ips = [held["ip"] for held in one["status"]["podIPs"]]
                found[f"{meta['namespace']}/{meta['name']}"] = {
                    6 if ":" in ip else 4: ip for ip in ips
                }
    for ip in (*(ip for both in NODES.values() for ip in both), *OUTSIDE):
        found[ip] = {6 if ":" in ip else 4: ip}
    return found


def asked(places: dict[str, dict[int, str]], random: Random) -> list[Question]:
    """Random questions of which one end at least is a pod."""
    names = sorted(places)
    found: list[Question] = []
    while len(found) < ASKED:
        source, destination = random.sample(names, 2)
        family = random.choice((4, 6))
        both = family in places[source] and family in places[destination]
        if both and ("/" in source or "/" in destination):
            protocol = random.choice(("TCP", "TCP", "UDP", "SCTP"))
            found.append((source, destination, protocol, random.choice(PORTS), family))
    return found


def workload_of(name: str, objects: list[Object]) -> Key | str:
    """The workload of a pod; an address or node by itself."""
    if "/" not in name:
        for node, ips in NODES.items():
            if name in ips:
                return node
        return name
    space, pod = name.split("/")
    kind, own = ("Deployment", pod.rpartition("-")[0]) if pod.startswith("d-") else ("Pod", pod)
    return Key(space, own, kind)


@pytest.mark.parametrize("seed", range(50))
def test_nothing_observed_is_denied_and_nothing_unexplained_is_opened(seed: int) -> None:
    """Rule 8 of learning, over clusters in both families with policies of every dialect."""
    random = Random(seed)
    objects = owned(random_cluster(seed, DECIDED), random)
    places = ends(objects)
    truth = Naive(objects)
    questions = asked(places, random)
    allowed = [q for q in questions if truth.allowed(*q) is True]
    bare = [one for one in objects if one["kind"] not in POLICIES]
    flows = [_flow(q, places, n) for n, q in enumerate(allowed)]
    profile = Profile(blocks_match_pods=seed % 2 == 0)
    taught = cluster(bare)
    lesson = learn(flows, taught, Options(profile=profile))
    assert lesson.proof.denied == 0
    assert lesson.proof.unresolved == 0
    assert lesson.proof.flows == len(allowed)
    for matching in (True, False):
        after = Naive([*bare, *lesson.policies], blocks_match_pods=matching)
        lost = [q for q in allowed if after.allowed(*q) is not True]
        assert lost == []
        more = [q for q in asked(places, random) if after.allowed(*q) is not False]
        assert [q for q in more if not _explained(q, allowed, bare, taught, lesson)] == []


@pytest.mark.parametrize("seed", range(100, 110))
def test_what_is_learned_holds_beneath_the_policies_in_force(seed: int) -> None:
    """They stay where they are: what they allow and was seen is still allowed with the lesson."""
    random = Random(seed)
    objects = owned(random_cluster(seed, DECIDED), random)
    places = ends(objects)
    truth = Naive(objects)
    allowed = [q for q in asked(places, random) if truth.allowed(*q) is True]
    flows = [_flow(q, places, n) for n, q in enumerate(allowed)]
    options = Options(profile=Profile(blocks_match_pods=True))
    lesson = learn(flows, cluster(objects), options)
    after = Naive([*objects, *lesson.policies])
    assert [q for q in allowed if after.allowed(*q) is not True] == []


def _flow(question: Question, places: dict[str, dict[int, str]], at: int) -> Flow:
    source, destination, protocol, port, family = question
    here, there = Peer(ip=places[source][family]), Peer(ip=places[destination][family])
    return Flow(here, there, protocol, port, 40000, float(at + 1), reply=False)


def _explained(
    question: Question, allowed: list[Question], objects: list[Object], taught: Any, lesson: Any
) -> bool:
    """Whether what is open was seen between workloads that labels do not tell from these, on that
    port; or an end is free because nothing could isolate it.
    """
    lifted = lift(Atlas(taught, Options()))
    source, destination = (workload_of(end, objects) for end in question[:2])

    def alike(one: Key | str, other: Key | str) -> bool:
        """Whether a peer that stands for `one` takes in `other`."""
        if one == other:
            return True
        if not isinstance(one, Key) or not isinstance(other, Key):
            return False
        held = lifted[one]
        return other in held.also or (held.selector is None and one.namespace == other.namespace)

    free = {u.workload for u in lesson.unseen if not u.isolated}
    free |= {str(k) for k, one in lifted.items() if one.selector is None}

    def opened(subject: Key | str) -> bool:
        """Whether nothing isolates an end."""
        return not isinstance(subject, Key) or str(subject) in free

    seen = [
        (workload_of(s, objects), workload_of(d, objects))
        for s, d, protocol, port, _ in allowed
        if (protocol, port) == question[2:4]
    ]
    node = next((n for n in NODES if n in (source, destination)), None)
    if node is not None and _node_of(question, objects) == node:
        return True  # a pod and its own node always reach each other
    matched = any(alike(s, source) and alike(d, destination) for s, d in seen)
    out = opened(source) or matched
    return (opened(destination) or matched) and out


def _node_of(question: Question, objects: list[Object]) -> str:
    for one in objects:
        meta = one["metadata"]
        if one["kind"] == "Pod" and f"{meta['namespace']}/{meta['name']}" in question[:2]:
            return str(one["spec"]["nodeName"])
    return ""
