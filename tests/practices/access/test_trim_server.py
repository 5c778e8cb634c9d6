"""A real API server's own audit log, trimmed: its authorizer then allows what was done, no more.

Requests are made under impersonation; the log is read, what it tells is compared with the reasons
that the authorizer gave, and the trimmed roles are put into the server.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.access.random_world import GROUP, SPACES, Object
from tests.support.access.reviews import review, settle, stored
from tests.support.apiserver import ApiServer, Missing, run

from martello.adapters.audit.files import read_audit
from martello.practices.access.edits import fixed
from martello.practices.access.rules import RBAC
from martello.practices.access.trim import Trim, trim
from martello.practices.access.uses import observe

pytestmark = pytest.mark.apiserver

ONE, TWO = SPACES[0], SPACES[1]
ACCOUNT: Final = f"system:serviceaccount:{ONE}:api"
POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Request", "resources": [{"group": "authorization.k8s.io"}]},
        {"level": "Metadata"},
    ],
}
Asked = tuple[str, tuple[str, ...], str, str, Any]


def _world() -> list[Object]:
    """A role of many rights, bound in three ways."""
    api = {"apiVersion": f"{GROUP}/v1"}
    rules = [
        {
            "verbs": ["*"],
            "apiGroups": [""],
            "resources": ["configmaps", "secrets", "pods", "pods/log", "namespaces"],
        },
        {"verbs": ["create"], "apiGroups": [""], "resources": ["serviceaccounts/token"]},
        {"verbs": ["get"], "nonResourceURLs": ["/metrics", "/logs/*"]},
    ]
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": "much"}
    made: list[Object] = [
        {**api, "kind": "ClusterRole", "metadata": {"name": "much"}, "rules": rules}
    ]
    for name, subject, space in (
        ("jo", {"kind": "User", "name": "jo"}, ""),
        ("team", {"kind": "Group", "name": "team"}, TWO),
        ("api", {"kind": "ServiceAccount", "name": "api", "namespace": ONE}, ONE),
    ):
        kind = "RoleBinding" if space else "ClusterRoleBinding"
        metadata = {"name": name, **({"namespace": space} if space else {})}
        bound = {"roleRef": reference, "subjects": [subject]}
        made.append({**api, "kind": kind, "metadata": metadata, **bound})
    return made


def _requests() -> list[Asked]:
    """Who asks for what: a user, a member of a group, an account."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made"}}
    one, two = f"/api/v1/namespaces/{ONE}", f"/api/v1/namespaces/{TWO}"
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    jo: list[tuple[str, str, Any]] = [
        ("POST", f"{one}/configmaps", body),
        ("GET", f"{one}/configmaps/made", None),
        ("GET", f"{two}/configmaps/missing", None),
        ("GET", f"{one}/secrets?fieldSelector=metadata.name%3Ddb", None),
        ("GET", f"{one}", None),
        ("GET", "/api/v1/namespaces", None),
        ("GET", "/metrics", None),
        ("GET", "/version", None),
        ("GET", "/api/v1/nodes", None),
        ("POST", f"{one}/serviceaccounts/api/token", token),
    ]
    team: list[tuple[str, str, Any]] = [
        ("GET", f"{two}/pods?watch=true&timeoutSeconds=1", None),
        ("DELETE", f"{two}/configmaps/missing", None),
        ("GET", f"{one}/pods", None),
    ]
    api: list[tuple[str, str, Any]] = [
        ("GET", f"{one}/pods/missing/log", None),
        ("DELETE", f"{one}/configmaps", None),
        ("PUT", f"{one}/configmaps/made", body),
        ("GET", f"{two}/configmaps", None),
    ]
    return [
        *[("jo", (), *each) for each in jo],
        *[("kim", ("team",), *each) for each in team],
        *[(ACCOUNT, (), *each) for each in api],
    ]


def _made(server: ApiServer, requests: list[Asked]) -> list[bool]:
    """Makes the requests. Whether each was allowed."""
    done: list[bool] = []
    for user, groups, method, path, body in requests:
        headers = [("Impersonate-User", user), *(("Impersonate-Group", g) for g in groups)]
        answer = server._client.request(method, path, json=body, headers=headers)
        done.append(answer.status_code != 403)
    return done


def _put(server: ApiServer, found: Trim) -> None:
    """The trimmed world in the place of the one before."""
    kinds = ("ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding")
    world: list[Object] = []
    for kind in kinds:
        for one in found.after.of_kind(f"{kind}.{RBAC}"):
            if not fixed(one) and not one.ref.name.startswith(("sign", "system:")):
                keys = {k: v for k, v in one.metadata.items() if k in ("name", "namespace")}
                world.append({**one.raw, "metadata": keys})
    settle(server, world, "sign-after")


def test_the_trimmed_roles_of_a_real_server_allow_what_was_done(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(POLICY))
    log = tmp_path / "audit.log"
    arguments = (f"--audit-policy-file={tmp_path / 'policy.json'}", f"--audit-log-path={log}")
    try:
        with run(arguments=arguments) as server:
            _trimmed(server, log)
    except Missing as missing:
        pytest.skip(str(missing))


def _trimmed(server: ApiServer, log: Path) -> None:
    settle(server, _world(), "sign-before")
    requests = _requests()
    before = _made(server, requests)
    assert before.count(False) == 3  # nodes, and twice another namespace
    asked = {"verb": "delete", "group": "", "resource": "secrets", "namespace": ONE}
    probe = {"verb": "get", "group": "", "resource": "pods", "namespace": TWO, "name": "other"}
    # What somebody else asks about a user is the user's use: kept, as what it did itself.
    assert review(server, "jo", (), {**asked, "verb": "update", "name": "db"})

    reading = read_audit([str(log)])
    observed = observe(reading)
    assert not reading.gaps
    assert set(observed.skipped) <= {"nobody was authenticated"}
    assert {use.principal.username for use in observed.refused} == {"jo", "kim", ACCOUNT}
    ours = stored(server)
    found = trim(observed, ours)
    assert not found.disagreements  # each reason of the authorizer names a grant of ours
    assert any(use.reasons for use in observed.uses)
    assert {edit.binding.name for edit in found.edits if edit.binding} >= {"jo", "team", "api"}

    _put(server, found)
    after = _made(server, requests)
    assert [was for was, now in zip(before, after, strict=True) if was and not now] == []
    assert not review(server, "jo", (), asked)
    assert review(server, "jo", (), {**asked, "verb": "update", "name": "db"})
    assert not review(server, "kim", ("team",), probe)
    assert not review(server, ACCOUNT, (), {**probe, "namespace": ONE})
