"""What the API server refuses to store: by our reading, and by a real one."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.support.access.objects import GROUP, Object, bind, resources, role, rule, thing
from tests.support.apiserver import ApiServer

from martello.practices.access.refusals import refusals


def _told(one: Object, live: bool = False) -> list[str]:
    return [fault for _, fault in refusals(resources(one, live=live)[0])]


@pytest.mark.parametrize(
    ("one", "faults"),
    [
        (role("r"), []),
        (role("r", rule("get", "pods/* */* Pods podz")), []),
        (role("r", {"verbs": ["get"], "nonResourceURLs": ["/a*b"]}), []),
        (bind("b", "gone", "user:jo"), []),
        (bind("b", "r", "/api", ns="shop"), []),
        (bind("b", "r", "/api"), ["subjects[0] is a ServiceAccount without a namespace"]),
        (bind("b", "Role/r", "user:jo"), ["roleRef to a Role"]),
        (bind("b", "Thing/r", "user:jo", ns="shop"), ["roleRef to a Thing"]),
        (thing("ClusterRole", "r", rules=7), ["rules is no list"]),
        (thing("ClusterRole", "r", rules=[7]), ["rules[0] is no rule"]),
        (thing("ClusterRole", "r", rules=None), []),
        (thing("RoleBinding", "b", "shop", roleRef=None), ["roleRef names no kind and name"]),
        (
            thing("ClusterRole", "r", aggregationRule={"clusterRoleSelectors": []}),
            ["aggregationRule has no clusterRoleSelectors"],
        ),
    ],
)
def test_faults_are_told_and_what_is_stored_is_not(one: Object, faults: list[str]) -> None:
    assert _told(one) == faults
    assert _told(one, live=True) == []


def test_every_fault_has_its_place() -> None:
    made = role("r", rule("get", "pods"), {"verbs": []}, {"verbs": ["get"]}, ns="shop")
    assert [path for path, _ in refusals(resources(made)[0])] == [("rules", 1), ("rules", 2)]


SERVER_TRIES = 400
_LISTS: dict[str, tuple[list[str], ...]] = {
    "verbs": ([], ["get"], ["*"]),
    "apiGroups": ([], [""], ["*"]),
    "resources": ([], ["pods"], ["*/*"]),
    "resourceNames": ([], ["a"]),
    "nonResourceURLs": ([], [], ["/metrics"], ["*"]),
}


def _random(pick: random.Random, number: int) -> Object:
    name, ns = f"refusal-{number}", pick.choice(("", "default"))
    if pick.random() < 0.5:
        rules = [{field: pick.choice(words) for field, words in _LISTS.items()} for _ in range(2)]
        return role(name, *rules[: pick.randint(0, 2)], ns=ns)
    groups = (None, "", GROUP, "v1")
    reference = {"kind": pick.choice(("ClusterRole", "Role", "Thing", "")), "name": "r"}
    made: dict[str, Any] = {"roleRef": reference | _group(pick.choice(groups))}
    made["subjects"] = [_subject(pick, groups) for _ in range(pick.randint(0, 2))]
    return thing("RoleBinding" if ns else "ClusterRoleBinding", name, ns, **made)


def _subject(pick: random.Random, groups: tuple[str | None, ...]) -> Object:
    kind = pick.choice(("User", "Group", "ServiceAccount", "Thing"))
    made: Object = {"kind": kind, "name": pick.choice(("a", "b-0.c", "a", "", "x:y", "A"))}
    if pick.random() < 0.6:
        made["namespace"] = pick.choice(("default", ""))
    return made | _group(pick.choice(groups))


def _group(group: str | None) -> Object:
    return {} if group is None else {"apiGroup": group}


@pytest.mark.apiserver
def test_a_real_server_refuses_what_we_say_it_does(apiserver: ApiServer) -> None:
    pick = random.Random("refusals")
    seen = {True: 0, False: 0}
    for number in range(SERVER_TRIES):
        one = _random(pick, number)
        space = one["metadata"].get("namespace")
        path = f"/apis/{GROUP}/v1" + (f"/namespaces/{space}" if space else "")
        path += f"/{one['kind'].lower()}s?dryRun=All"
        answer = apiserver.request("POST", path, one, check=False)
        refused = answer.get("code") == 422
        assert refused or answer["kind"] == one["kind"], answer
        assert bool(_told(one)) == refused, (one, answer)
        seen[refused] += 1
    assert min(seen.values()) > SERVER_TRIES // 20
