"""`access trim --apply`: all of it is tried first, what was used stays, nothing goes by half."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.access.audit_lines import line
from tests.support.access.reviews import clear, review, settle
from tests.support.apiserver import ApiServer
from tests.support.asked import ask

from martello.adapters.cluster.write import Write, write_all
from martello.core.errors import Refused

SPACE: Final = "world-a"
API: Final = "system:serviceaccount:world-a:api"
GROUPS: Final = ("system:serviceaccounts", "system:serviceaccounts:world-a", "system:authenticated")
RBAC: Final = "rbac.authorization.k8s.io"


def _thing(kind: str, name: str, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name} if kind.startswith("Cluster") else {"name": name, "namespace": SPACE}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, **rest}


def _world() -> list[dict[str, Any]]:
    """A role that one binding uses, a shared one with a name to be quoted, and an idle binding."""
    many = [{"verbs": ["*"], "apiGroups": [""], "resources": ["pods", "secrets"]}]
    who = [{"kind": "ServiceAccount", "name": "api", "namespace": SPACE}]
    jo = [{"kind": "User", "apiGroup": RBAC, "name": "jo"}]

    def to(kind: str, name: str) -> dict[str, str]:
        return {"apiGroup": RBAC, "kind": kind, "name": name}

    return [
        _thing("Role", "own", rules=many),
        _thing("RoleBinding", "own", roleRef=to("Role", "own"), subjects=who),
        _thing("ClusterRole", "shared? by:two", rules=[{**many[0], "resources": ["configmaps"]}]),
        _thing("RoleBinding", "a", roleRef=to("ClusterRole", "shared? by:two"), subjects=who),
        _thing(
            "ClusterRoleBinding", "b? c", roleRef=to("ClusterRole", "shared? by:two"), subjects=jo
        ),
    ]


@pytest.fixture
def server(apiserver: ApiServer) -> Iterator[ApiServer]:
    try:
        yield apiserver
    finally:
        clear(apiserver)
        for path in ("rolebindings/a-used", "roles/a-used"):
            apiserver.request("DELETE", f"/apis/{RBAC}/v1/namespaces/{SPACE}/{path}", check=False)


@pytest.fixture
def log(tmp_path: Path) -> str:
    used = (("list", "pods", ""), ("get", "configmaps", "x"), ("update", "secrets", "db"))
    lines = [
        line(3 * day + at, "world-a/api", verb, what, namespace=SPACE, hour=24 * day, name=name)
        for day in range(40)
        for at, (verb, what, name) in enumerate(used)
    ]
    file = tmp_path / "audit.log"
    file.write_text("".join(lines))
    return str(file)


def _may(server: ApiServer, verb: str, resource: str, name: str = "") -> bool:
    asked = {"verb": verb, "group": "", "resource": resource, "name": name, "namespace": SPACE}
    return review(server, API, GROUPS, asked)


def _wait(server: ApiServer, verb: str, resource: str) -> None:
    """Until the authorizer has seen that a right is gone."""
    import time

    deadline = time.monotonic() + 10
    while _may(server, verb, resource):
        assert time.monotonic() < deadline, (verb, resource)
        time.sleep(0.05)


@pytest.mark.apiserver
def test_what_was_used_stays_and_the_rest_is_gone_from_the_cluster(
    server: ApiServer, log: str
) -> None:
    settle(server, _world(), "apply-sign")
    words = ["access", "trim", "--events", log, "--as", "world-a/api", "--since", "30d"]
    words += ["--kubeconfig", str(server.kubeconfig()), "--context", "test"]
    shown = ask(*words, "-o", "json")
    assert shown.code == 1
    assert _may(server, "delete", "secrets")
    done = ask(*words, "--apply", "-o", "json")
    assert done.code == 0, done
    told = json.loads(done.out)
    assert told["applied"], told
    assert told["applied"].index(f"change {SPACE}/Role/own") < len(told["applied"]) - 1
    assert told["applied"][-1] == f"delete {SPACE}/RoleBinding/a"
    for verb, what in (("delete", "secrets"), ("delete", "pods"), ("delete", "configmaps")):
        _wait(server, verb, what)
    assert _may(server, "list", "pods")
    assert _may(server, "get", "configmaps", "x")
    assert _may(server, "update", "secrets", "db")
    again = json.loads(ask(*words, "--apply", "-o", "json").out)
    assert (again["changes"], again["applied"], again["exit"]) == ([], [], 0)


@pytest.mark.apiserver
def test_nothing_is_changed_where_the_server_refuses_a_part(server: ApiServer, log: str) -> None:
    settle(server, _world(), "refused-sign")
    reader = _thing(
        "ClusterRoleBinding",
        "refused-reader",
        roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": "refused-reader"},
        subjects=[{"kind": "User", "apiGroup": RBAC, "name": "half"}],
    )
    rules = [{"verbs": ["get", "list", "watch"], "apiGroups": ["*"], "resources": ["*"]}]
    rules.append({"verbs": ["patch"], "apiGroups": [RBAC], "resources": ["roles"]})
    path = f"/apis/{RBAC}/v1"
    try:
        server.request(
            "POST", f"{path}/clusterroles", _thing("ClusterRole", "refused-reader", rules=rules)
        )
        server.request("POST", f"{path}/clusterrolebindings", reader)
        words = ["access", "trim", "--events", log, "--as", "world-a/api", "--apply"]
        words += ["--kubeconfig", str(server.kubeconfig("half")), "--context", "test"]
        done = ask(*words, "--allow-incomplete")
        assert done.code == Refused.exit_code
        assert "nothing was changed" in done.err.splitlines()[0]
        assert "(403)" in done.err
        assert _may(server, "delete", "secrets")
        assert _may(server, "delete", "configmaps")
    finally:
        for kind in ("clusterrolebindings", "clusterroles"):
            server.request("DELETE", f"{path}/{kind}/refused-reader", check=False)


@pytest.mark.apiserver
def test_a_dry_run_deletes_nothing(server: ApiServer) -> None:
    settle(server, _world(), "dry-sign")
    path = f"/apis/{RBAC}/v1/namespaces/{SPACE}/rolebindings/a"
    uid = server.request("GET", path)["metadata"]["uid"]
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
    other = {**body, "preconditions": {"uid": "another"}}
    writes = [Write("DELETE", path, body, "delete a"), Write("DELETE", path, other, "delete b")]
    with pytest.raises(Refused, match="refuses to delete b: nothing was changed"):
        write_all("test", str(server.kubeconfig()), writes)
    assert server.request("GET", path)["metadata"]["uid"] == uid


def test_only_a_live_cluster_alone_is_changed(log: str) -> None:
    for more in (["-f", "demo"], ["-f", "cluster:x", "-f", "demo"]):
        done = ask("access", "trim", "--events", log, "--apply", *more)
        assert done.code == 2
        assert done.err.splitlines()[0] == "--apply changes a live cluster"
