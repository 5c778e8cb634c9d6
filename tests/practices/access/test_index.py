"""The compiled index against the authorizer read literally, on random worlds."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.support.access.naive import Naive
from tests.support.access.random_world import person, request, world

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.access import Access
from martello.practices.access.model import Principal, Request
from martello.practices.access.principals import subject_key
from martello.practices.access.symbols import bits, places

WORLDS, EACH, PARTS = 500, 200, 4


def stored(objects: list[dict[str, Any]]) -> Cluster:
    """Objects as an API server has them, whatever it would take."""
    return Cluster(resource_of(each, Nowhere(), "here") for each in objects)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_answer_is_that_of_the_literal_reading(part: int) -> None:
    allowed = 0
    for seed in range(part, WORLDS, PARTS):
        pick = random.Random(seed)
        objects = world(pick, 6 + seed % 20)
        ours, oracle = Access(stored(objects)), Naive(objects)
        people = [person(pick) for _ in range(10)]
        for _ in range(EACH):
            (user, groups), asked = pick.choice(people), request(pick)
            found = ours.can(Principal(user, groups), Request(**asked)).verdict
            wanted = oracle.allowed(user, groups, asked)
            assert found == ("allowed" if wanted else "denied"), (seed, user, groups, asked)
            allowed += wanted
    assert allowed > WORLDS * EACH // PARTS // 20


def test_who_can_names_those_who_can() -> None:
    for seed in range(60):
        pick = random.Random(seed)
        objects = world(pick)
        ours, oracle = Access(stored(objects)), Naive(objects)
        for _ in range(20):
            asked = request(pick)
            subjects = [subject for subject, _ in ours.who_can(Request(**asked))]
            keys = {subject_key(subject) for subject in subjects}
            assert len(set(subjects)) == len(subjects)
            for _ in range(5):
                user, groups = person(pick)
                held = {f"u{user}", *(f"g{group}" for group in groups)}
                assert bool(held & keys) is oracle.allowed(user, groups, asked)


def test_every_grant_of_why_grants_by_itself() -> None:
    grants = 0
    for seed in range(60):
        pick = random.Random(seed)
        objects = world(pick, 12)
        ours = Access(stored(objects))
        for _ in range(30):
            (user, groups), asked = person(pick), request(pick)
            who, wanted = Principal(user, groups), Request(**asked)
            answer = ours.why(who, wanted)
            assert answer.verdict == ours.can(who, wanted).verdict
            for grant in answer.grants:
                role = {**grant.rule_role.raw, "rules": [grant.rule_role.raw["rules"][grant.rule]]}
                place = grant.subject[1]
                subjects = [s for i, s in enumerate(grant.binding.raw["subjects"]) if i == place]
                alone = [role, {**grant.binding.raw, "subjects": subjects}]
                assert Naive(alone).allowed(user, groups, asked)
                grants += 1
    assert grants > 100


def test_more_rules_never_deny() -> None:
    for seed in range(40):
        pick = random.Random(seed)
        less, more = world(pick), world(pick)
        names = {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in less}
        added = [
            o
            for o in more
            if (o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) not in names
        ]
        before, after = Access(stored(less)), Access(stored([*less, *added]))
        for _ in range(40):
            (user, groups), asked = person(pick), Request(**request(pick))
            if before.can(Principal(user, groups), asked).verdict == "allowed":
                assert after.can(Principal(user, groups), asked).verdict == "allowed"


def test_bits_and_places_are_inverse() -> None:
    for listed in ([], [0], [5], [0, 7, 8, 63, 64, 1000]):
        assert places(bits(listed)) == listed
