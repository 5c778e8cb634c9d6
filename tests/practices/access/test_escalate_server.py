"""Writes of roles and bindings under impersonation: a real API server and our rules must agree."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.support.access.random_world import GROUP, SPACES, Object, person, rule, world
from tests.support.access.reviews import clear, path_of, settle, stored
from tests.support.apiserver import ApiServer

from martello.core.resource import Nowhere, resource_of
from martello.practices.access import Access
from martello.practices.access.escalate import may_bind, may_write_role
from martello.practices.access.impersonate import may_impersonate
from martello.practices.access.model import Principal

pytestmark = pytest.mark.apiserver

WORLDS, WRITES = 6, 40
_KINDS = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")


@pytest.fixture
def server(apiserver: ApiServer) -> Iterator[ApiServer]:
    try:
        yield apiserver
    finally:
        clear(apiserver)


def _writers(pick: random.Random) -> list[Object]:
    """Everybody may write roles and bindings; some may escalate or bind, everywhere or named."""
    write = {"verbs": ["create", "update"], "apiGroups": [GROUP], "resources": list(_KINDS)}
    more = {"verbs": [pick.choice(("bind", "escalate"))], "apiGroups": [GROUP]}
    more |= {"resources": list(_KINDS[:2]), "resourceNames": ["r1", "new"]}
    made: list[Object] = []
    for name, rules, subjects in (
        ("writers", [write], [{"kind": "Group", "name": "writers"}]),
        ("beyond", [more], [{"kind": "User", "name": "jo"}]),
        ("all", [{**more, "resourceNames": []}], [{"kind": "User", "name": "kim"}]),
    ):
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
        bound: Object = {"roleRef": reference, "subjects": subjects}
        kind, metadata = "ClusterRoleBinding", {"name": name}
        if name == "all" and pick.random() < 0.5:
            kind, metadata = "RoleBinding", {"name": name, "namespace": SPACES[0]}
        api = {"apiVersion": f"{GROUP}/v1"}
        made.append({**api, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules})
        made.append({**api, "kind": kind, "metadata": metadata, **bound})
    return made


def _wish(pick: random.Random, here: Sequence[Object]) -> Object:
    """A new role with rules that are mostly held by somebody, or a new binding to some role."""
    api = {"apiVersion": f"{GROUP}/v1"}
    metadata: Object = {"name": "new"}
    wide = pick.random() < 0.4
    if not wide:
        metadata["namespace"] = pick.choice(SPACES)
    prefix = "Cluster" if wide else ""
    if pick.random() < 0.5:
        held = [r for o in here for r in o.get("rules", ())]
        held = [r for r in held if wide or "nonResourceURLs" not in r]
        rules = [pick.choice(held) if held and pick.random() < 0.8 else rule(pick, wide, True)]
        return {**api, "kind": f"{prefix}Role", "metadata": metadata, "rules": rules}
    kind = "ClusterRole" if wide else pick.choice(("ClusterRole", "Role"))
    reference = {"apiGroup": GROUP, "kind": kind, "name": pick.choice(("r0", "r1", "r2", "gone"))}
    subjects = [{"apiGroup": GROUP, "kind": "User", "name": "jo"}]
    bound = {"roleRef": reference, "subjects": subjects}
    return {**api, "kind": f"{prefix}RoleBinding" if prefix else "RoleBinding", **bound} | {
        "metadata": metadata
    }


def _as(user: str, groups: Sequence[str]) -> list[tuple[str, str]]:
    return [("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups)]


def test_who_may_grant_what(server: ApiServer) -> None:
    seen = {True: 0, False: 0}
    for seed in range(WORLDS):
        pick = random.Random(f"escalate {seed}")
        here = [*world(pick, 12, storable=True), *_writers(pick)]
        settle(server, here, f"sign-e{seed}")
        ours = Access(stored(server))
        for _ in range(WRITES):
            user, groups = person(pick)
            # The server adds this group itself where it is not given.
            groups = tuple(dict.fromkeys((*groups, "writers", "system:authenticated")))
            wish = _wish(pick, here)
            headers = _as(user, groups)
            answer = server._client.post(f"{path_of(wish)}?dryRun=All", json=wish, headers=headers)
            resource = resource_of(wish, Nowhere())
            ask = may_bind if wish["kind"].endswith("Binding") else may_write_role
            found = ask(ours, Principal(user, groups), resource)
            wanted = answer.status_code == 201
            assert answer.status_code in (201, 403, 404), answer.text
            assert found.verdict == ("allowed" if wanted else "denied"), (
                seed,
                user,
                groups,
                wish,
                answer.text,
                found.because,
            )
            seen[wanted] += 1
    assert min(seen.values()) > WORLDS * WRITES // 10


def test_who_may_act_as_whom(server: ApiServer) -> None:
    def grants(name: str, rules: list[dict[str, Any]]) -> list[Object]:
        api = {"apiVersion": f"{GROUP}/v1", "metadata": {"name": name}}
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
        subjects = [{"apiGroup": GROUP, "kind": "User", "name": "half"}]
        bound = {"roleRef": reference, "subjects": subjects}
        return [
            {**api, "kind": "ClusterRole", "rules": rules},
            {**api, "kind": "ClusterRoleBinding", **bound},
        ]

    one = {"verbs": ["impersonate"], "apiGroups": [""]}
    extra = {"verbs": ["impersonate"], "apiGroups": ["authentication.k8s.io"]}
    worlds = (
        [{**one, "resources": ["users"]}],
        [{**one, "resources": ["groups"]}],
        [{**one, "resources": ["users", "groups"], "resourceNames": ["jo", "team"]}],
        [{**one, "resources": ["serviceaccounts"], "resourceNames": ["api"]}],
        [{**one, "resources": ["users"]}, {**extra, "resources": ["userextras/scopes"]}],
    )
    account = f"system:serviceaccount:{SPACES[0]}:api"
    asked: list[tuple[str, tuple[str, ...], dict[str, list[str]]]] = [
        ("jo", (), {}),
        ("kim", (), {}),
        ("jo", ("team",), {}),
        ("jo", ("team", "others"), {}),
        (account, (), {}),
        (account, ("team",), {}),
        ("jo", (), {"scopes": ["view"]}),
        ("jo", (), {"other": ["view"]}),
    ]
    seen = {True: 0, False: 0}
    for at, rules in enumerate(worlds):
        settle(server, grants(f"as-{at}", rules), f"sign-i{at}")
        ours = Access(stored(server))
        who = Principal("half", ("system:authenticated",))
        for user, groups, extras in asked:
            headers = _as(user, groups)
            headers += [(f"Impersonate-Extra-{k}", v) for k, vs in extras.items() for v in vs]
            headers.append(("Authorization", f"Bearer {server.tokens['half']}"))
            answer = server._client.get("/version", headers=headers)
            wanted = "cannot impersonate" not in answer.text
            found = may_impersonate(ours, who, user, groups, extras)
            assert found.verdict == ("allowed" if wanted else "denied"), (rules, user, groups)
            seen[wanted] += 1
    assert min(seen.values()) > 5
