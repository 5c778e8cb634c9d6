"""Covers: what is compared one by one and what is looked up must say the same."""

from __future__ import annotations

import random

import pytest
from tests.support.access.objects import resources, role
from tests.support.access.random_world import rule

from martello.practices.access import cover
from martello.practices.access.cover import Growing, Single, covers, singles
from martello.practices.access.rules import Rule, read_role


def test_many_rules_are_turned_around_and_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {True: 0, False: 0}
    for seed in range(300):
        pick = random.Random(seed)
        owner = read_role(resources(role("o", *(rule(pick, True) for _ in range(4))))[0]).rules
        servant = read_role(resources(role("s", *(rule(pick, True) for _ in range(2))))[0]).rules
        monkeypatch.setattr(cover, "_FEW", 300)
        plain = covers(owner, servant)
        monkeypatch.setattr(cover, "_FEW", 0)
        assert covers(owner, servant) == plain
        seen[plain[0]] += 1
        assert covers(owner, owner)[0]
        assert set(plain[1]) <= set(singles(servant))
    assert min(seen.values()) > 20


def test_rules_that_grow_cover_as_all_of_them_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cover, "_FEW", 12)
    for seed in range(12):
        pick = random.Random(seed)
        held = read_role(resources(role("h", *(rule(pick, True) for _ in range(20))))[0]).rules
        asked = read_role(resources(role("a", *(rule(pick, True) for _ in range(3))))[0]).rules
        growing = Growing(held[:5])
        for count, one in enumerate(held[5:], 6):
            growing.add(one)
            for single in singles(asked):
                assert growing(single) is covers(held[:count], asked_of(single))[0]


def asked_of(single: Single) -> tuple[Rule, ...]:
    """A rule that is no more than this."""
    verb, group, resource, name, url = single
    made = resources(role("x"))[0]
    if url:
        return (Rule((verb,), (), (), (), (url,), made, 0),)
    names = () if name is None else (name,)
    return (Rule((verb,), (group,), (resource,), names, (), made, 0),)
