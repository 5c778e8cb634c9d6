"""Real roles of well-known projects, answered as the literal reading answers them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from tests.support.access.naive import Naive

from martello.adapters.manifests import read_paths
from martello.core.resource import Resource
from martello.practices.access import Access
from martello.practices.access.aggregate import role_key
from martello.practices.access.bindings import BINDINGS
from martello.practices.access.cover import Single, singles
from martello.practices.access.model import Request
from martello.practices.access.principals import of_subject
from martello.practices.access.rules import ROLES, stands

pytestmark = pytest.mark.corpus

EACH = 40


def test_real_roles_answer_as_they_are_read(corpora: Path) -> None:
    asked = allowed = 0
    for project in sorted((corpora / "manifests").iterdir()):
        if not project.is_dir():
            continue
        world = read_paths([str(project)]).world()
        ours = Access(world)
        objects = [r for kind in (*ROLES, *BINDINGS) for r in world.of_kind(kind)]
        placed = [_last(r, objects).raw for r in objects if _last(r, objects) is r]
        oracle = Naive(placed, aggregate=True)
        subjects = {s for b in ours.index.bindings for s in b.subjects}
        rights = [
            single
            for role in ours.grants.roles.values()
            if stands(role)
            for single in islice(singles(role.rules), EACH)
        ]
        spaces = ("", *sorted({r.ref.namespace for r in objects} - {""})[:3])
        for subject in sorted(subjects, key=str)[:12]:
            who = of_subject(subject)
            for number, single in enumerate(rights):
                request = _asking(single, spaces[number % len(spaces)])
                found = ours.can(who, request).verdict
                wanted = oracle.allowed(who.username, who.groups, _plain(request))
                assert found != ("denied" if wanted else "allowed"), (project.name, who, request)
                asked += 1
                allowed += found == "allowed"
    assert asked > 2_000
    assert allowed > 300


def _last(resource: Resource, objects: list[Resource]) -> Resource:
    """Files may hold several objects of one name: the last one counts."""
    same = [r for r in objects if role_key(r) == role_key(resource)]
    return same[-1] if resource.ref.kind.endswith("Role") else resource


def _plain(request: Request) -> dict[str, str]:
    return {field: getattr(request, field) for field in Request.__struct_fields__}


def _asking(single: Single, space: str) -> Request:
    verb, group, resource, name, url = single
    if url:
        return Request(verb, path=url)
    parent, _, sub = resource.partition("/")
    return Request(verb, group, parent, sub, name or "", space)
