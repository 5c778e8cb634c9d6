"""What must hold of every world: guards never hurt, requests protect, rights only add."""

from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.support.resources.blasts import MI, objects, owners, quota, token, worlds

from martello.core.cluster import Cluster
from martello.practices.resources.blast.facade import World
from martello.practices.resources.blast.model import Blast, Rights
from martello.practices.resources.blast.remedy import State, remedies
from martello.practices.resources.node.model import Node, Pod

WORLDS = int(os.environ.get("WORLDS") or 40)
fewer = settings(
    max_examples=WORLDS,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
Given = tuple[tuple[Pod, ...], tuple[Node, ...]]


def _all(world: World) -> dict[str, Blast]:
    return {owner: world.blast(owner, "container") for owner in world.owners}


@fewer
@given(worlds(), st.sampled_from(["memory", "ephemeral-storage"]))
def test_a_limit_never_raises_the_score(found: Given, name: str) -> None:
    """With requests and class as they are."""
    pods, nodes = found
    before = _all(World(Cluster([]), pods, nodes))
    for owner in owners(pods):
        held = tuple(_limited(one, name) if one.owner == owner else one for one in pods)
        after = World(Cluster([]), held, nodes).blast(owner, "container")
        assert after.score <= before[owner].score


def _limited(one: Pod, name: str) -> Pod:
    (part,) = one.parts
    used = {"memory": part.use.memory, "ephemeral-storage": part.use.disk}[name] or 0
    most = min(max(used, one.request.get(name, 0) // 1000, MI) * 1000, one.limit.get(name, 1 << 62))
    limits = {**part.limits, name: most}
    part = msgspec.structs.replace(part, limits=limits)
    return msgspec.structs.replace(one, parts=(part,), limit=limits)


@fewer
@given(worlds(), st.integers(1, 500))
def test_a_limit_of_processes_never_raises_the_score(found: Given, most: int) -> None:
    pods, nodes = found
    less = tuple(
        msgspec.structs.replace(one, pod_pids=min(most, one.pod_pids or most)) for one in nodes
    )
    before, after = (_all(World(Cluster([]), pods, each)) for each in (nodes, less))
    for owner, one in after.items():
        assert one.score <= before[owner].score


@fewer
@given(worlds(), st.integers(0, 7))
def test_a_higher_request_never_raises_a_victims_harm(found: Given, number: int) -> None:
    pods, nodes = found
    victim = pods[number % len(pods)]
    assume(victim.qos == "Burstable")
    (part,) = victim.parts
    asked = {
        name: amount
        if name in part.limits
        else amount * 2 + (100 if name == "cpu" else 64 * MI * 1000)
        for name, amount in part.requests.items()
    }
    raised = msgspec.structs.replace(
        victim, parts=(msgspec.structs.replace(part, requests=asked),), request=asked
    )
    others = tuple(raised if one is victim else one for one in pods)
    before, after = (_all(World(Cluster([]), each, nodes)) for each in (pods, others))
    for owner in owners(pods):
        if owner != victim.owner:
            for resource in ("cpu", "memory"):
                old = _of(before[owner], resource, victim.key)
                new = _of(after[owner], resource, victim.key)
                assert new is None or (old is not None and new <= old + 1)


def _of(one: Blast, resource: str, key: str) -> int | None:
    """By how much a pod is hurt: of processor time the amount, of memory whether at all."""
    for harm in one.harms:
        for victim in harm.victims if harm.resource == resource else ():
            if victim.key == key:
                return (victim.amount or 0) if resource == "cpu" else 1
    return None


@fewer
@given(worlds(), st.booleans(), st.booleans())
def test_rights_only_add(found: Given, pods_too: bool, objects_too: bool) -> None:
    pods, nodes = found
    attacker = pods[0].owner

    def may(one: Pod) -> Rights:
        if one.owner != attacker:
            return token(one.namespace, one.name)
        return token(
            one.namespace,
            pods=frozenset([one.namespace] if pods_too else ()),
            creates=frozenset([(one.namespace, "", "secrets")] if objects_too else ()),
        )

    tenants = {"shop": frozenset(["shop", "data"])}
    world = World(Cluster([]), pods, nodes, may, tenants=tenants)
    victims: set[str] = set()
    score = 0.0
    for level in ("container", "token", "namespace", "tenant"):
        one = world.blast(attacker, level)
        told = {victim.key for harm in one.harms for victim in harm.victims}
        assert victims <= told
        assert score <= one.score
        victims, score = told, one.score


@fewer
@given(worlds(), st.integers(0, 6), st.sampled_from(["pods", "requests.memory", "limits.memory"]))
def test_a_quota_never_raises_the_score(found: Given, amount: int, key: str) -> None:
    pods, nodes = found

    def may(one: Pod) -> Rights:
        return token(one.namespace, pods=frozenset([one.namespace]))

    hard = {key: str(amount) if key == "pods" else f"{amount * 100}Mi"}
    bound = objects(*(quota(space, hard) for space in ("shop", "data")))
    before = World(Cluster([]), pods, nodes, may).blast(pods[0].owner, "token")
    after = World(bound, pods, nodes, may).blast(pods[0].owner, "token")
    assert after.score <= before.score


@fewer
@given(worlds())
def test_the_score_is_nothing_exactly_where_all_is_guarded_and_nobody_hurt(found: Given) -> None:
    for one in _all(World(Cluster([]), *found)).values():
        bounded = [harm for harm in one.harms if harm.resource != "unenforced"]
        calm = not any(harm.victims for harm in bounded)
        guarded = all(harm.guard is not None for harm in bounded)
        assert (one.score == 0) == (calm and guarded)
        assert 0 <= one.score <= 100


@fewer
@given(worlds())
def test_guards_that_are_offered_keep_their_word(found: Given) -> None:
    pods, nodes = found
    world = World(Cluster([]), pods, nodes)
    state = State(Cluster([]), pods, nodes)
    one = world.blast(pods[0].owner, "container")
    offered = remedies(world, state, one)
    if offered is None:
        return
    assert offered.before == one.score
    assert offered.after.score < one.score
    for guard in offered.guards:
        state = guard.change(state)
    again = World(state.cluster, state.pods, state.nodes).blast(one.attacker, "container")
    assert again.score == pytest.approx(offered.after.score, abs=0.1)
