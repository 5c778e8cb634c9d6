"""What the tokens of pods may do, as the blast radius is told it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.resources.blasts import pod

from martello.cli.resources.rights import may
from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.practices.access import access
from martello.practices.resources.blast.model import Rights

RBAC = "rbac.authorization.k8s.io"


def _role(*rules: dict[str, Any], space: str = "shop", whole: bool = False) -> list[dict[str, Any]]:
    kind = "ClusterRole" if whole else "Role"
    where = {} if whole else {"namespace": space}
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": "shop"}
    return [
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": kind,
            "metadata": {"name": "r", **where},
            "rules": list(rules),
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": "b", **where},
            "subjects": [subject],
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": "r"},
        },
    ]


def _rights(raws: list[dict[str, Any]], **spec: Any) -> Rights:
    cluster = Cluster([resource_of(raw, Nowhere()) for raw in raws])
    return may(cluster, access(cluster))(pod("web", spec={"serviceAccountName": "web", **spec}))


def _rule(verb: str, group: str, *resources: str, **more: Any) -> dict[str, Any]:
    return {"verbs": [verb], "apiGroups": [group], "resources": list(resources), **more}


@pytest.mark.parametrize(
    ("rule", "pods"),
    [
        (_rule("create", "", "pods"), True),
        (_rule("create", "apps", "deployments"), True),
        (_rule("patch", "apps", "deployments"), True),
        (_rule("*", "*", "*"), True),
        (_rule("create", "batch", "*"), True),
        (_rule("patch", "", "pods"), False),  # what runs stays what it is
        (_rule("create", "", "pods/exec"), False),
        (_rule("get", "*", "*"), False),
        (_rule("create", "", "configmaps"), False),
        (_rule("create", "", "pods", resourceNames=["one"]), False),  # create has no name
    ],
)
def test_who_may_bring_in_pods(rule: dict[str, Any], pods: bool) -> None:
    assert _rights(_role(rule)).pods == (frozenset(["shop"]) if pods else frozenset())
    everywhere = _rights(_role(rule, whole=True)).pods
    assert everywhere == (frozenset([""]) if pods else frozenset())


def test_what_it_may_create() -> None:
    found = _rights(_role(_rule("create", "", "configmaps"), _rule("create", "x.io", "things")))
    assert found.creates == {("shop", "", "configmaps"), ("shop", "x.io", "things")}
    assert found.user == "system:serviceaccount:shop:web"
    assert "system:serviceaccounts:shop" in found.groups
    every = _rights(_role(_rule("create", "*", "*")))
    assert ("shop", "", "secrets") in every.creates
    assert ("shop", "batch", "jobs") in every.creates


def test_a_pod_without_a_token_may_nothing() -> None:
    role = _role(_rule("*", "*", "*"))
    assert _rights(role, automountServiceAccountToken=False) == Rights()
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "web", "namespace": "shop"},
        "automountServiceAccountToken": False,
    }
    assert _rights([*role, account]) == Rights()
    assert _rights([*role, account], automountServiceAccountToken=True).user
