"""Covers: what is compared one by one and what is looked up must say the same."""

from __future__ import annotations

import random

import pytest
from tests.support.access.objects import resources, role
from tests.support.access.random_world import rule

from martello.practices.access import cover
from martello.practices.access.cover import covers, singles
from martello.practices.access.rules import read_role


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
