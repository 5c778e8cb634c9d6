"""Random worlds trimmed by random uses, judged by the naive evaluator: nothing used is lost, nobody
gains, and to trim again changes nothing.
"""

from __future__ import annotations

import random
from typing import Any

from tests.support.access.naive import Naive
from tests.support.access.random_world import SPACES, person, request, world

from martello.core.cluster import Cluster
from martello.core.event import AuditEvent
from martello.core.resource import Nowhere, resource_of
from martello.practices.access.trim import Trim, trim
from martello.practices.access.uses import Observed, observe

WORLDS, ASKED = 150, 50
Question = tuple[str, tuple[str, ...], dict[str, str]]


def _event(number: int, question: Question) -> AuditEvent:
    user, groups, asked = question
    if "path" in asked:
        return AuditEvent(
            asked["verb"].lower(), user, asked["path"], time=10**18 + number, actor_groups=groups
        )
    return AuditEvent(
        asked["verb"],
        user,
        time=10**18 + number,
        actor_groups=groups,
        k8s_group=asked["group"],
        k8s_resource=asked["resource"],
        k8s_subresource=asked["subresource"],
        k8s_name=asked["name"],
        k8s_ns=asked["namespace"],
    )


def _questions(pick: random.Random) -> list[Question]:
    found: list[Question] = []
    for _ in range(ASKED):
        user, groups = person(pick)
        found.append((user, groups or ("system:authenticated",), request(pick)))
    return found


def _naive(found: Cluster) -> Naive:
    return Naive([one.raw for one in found.resources])


def _trimmed(objects: list[dict[str, Any]], used: list[Question]) -> tuple[Trim, Observed]:
    classes = ("system:x", "bob", f"system:serviceaccount:{SPACES[0]}:other")
    everyday = [
        AuditEvent(verb, user, k8s_resource="things", time=10**18, actor_groups=("x",))
        for user in classes
        for verb in ("get", "create")
    ]
    events = [_event(number, one) for number, one in enumerate(used)]
    paths = [AuditEvent("get", "bob", "/x", time=10**18, actor_groups=("x",))]
    observed = observe([*events, *everyday, *paths])
    return trim(observed, Cluster(resource_of(one, Nowhere()) for one in objects)), observed


def test_random_worlds_are_trimmed_without_loss_or_gain() -> None:
    edits = lost_rights = 0
    for seed in range(WORLDS):
        pick = random.Random(f"trim {seed}")
        objects = world(pick, 8, storable=True)
        before = Naive(objects)
        questions = _questions(pick)
        used = [q for q in questions if pick.random() < 0.4 and before.allowed(*q)]
        found, observed = _trimmed(objects, used)
        after = _naive(found.after)
        edits += len(found.edits)
        for question in used:
            user, groups, asked = question
            if asked["verb"] == "create" and not asked.get("subresource"):
                asked = {**asked, "name": ""} if "name" in asked else asked
                if not before.allowed(user, groups, asked):
                    continue
            assert after.allowed(user, groups, asked), (seed, question)
        for question in (*questions, *_questions(pick)):
            was, now = before.allowed(*question), after.allowed(*question)
            assert was or not now, (seed, question)
            lost_rights += was and not now
        again = trim(observed, found.after)
        assert not again.edits, (seed, [edit.because for edit in again.edits])
    assert edits > WORLDS
    assert lost_rights > WORLDS
