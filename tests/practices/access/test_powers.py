"""Rights and tokens: who is spared, what a token is, what is unknown stays unknown."""

from __future__ import annotations

from typing import Any

import pytest

from martello.core.check import Hit
from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of
from martello.practices.access.born import of_platform, outsiders
from martello.practices.access.grants import grants
from martello.practices.access.powers import POWERS, powerful
from martello.practices.access.tokens import mounted

_GROUP = "rbac.authorization.k8s.io"
_SECRETS = {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}
_JO = {"kind": "User", "name": "jo"}


def _role(name: str, rules: Any, cluster: str = "", **more: Any) -> Resource:
    raw = {"apiVersion": f"{_GROUP}/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    return resource_of({**raw, "rules": rules, **more}, Nowhere(), cluster)


def _binding(role: str, name: str = "b", subjects: Any = (_JO,), namespace: str = "") -> Resource:
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    raw = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": list(subjects),
    }
    return resource_of(raw, Nowhere())


def _hits(check: str, *world: Resource, **more: Any) -> list[Hit]:
    cluster = Cluster(world, **more)
    return [hit for resource in world for hit in powerful(check, resource, cluster)]


def test_one_finding_for_a_binding_and_none_for_its_role() -> None:
    role, binding = _role("r", [_SECRETS]), _binding("r")
    (hit,) = _hits("ACC-008", role, binding)
    assert hit.resource is binding
    assert "User jo may get secrets everywhere, through ClusterRole r" in hit.message
    assert hit.severity == ""


def test_unbound_roles_are_notes_in_files_and_nothing_in_a_cluster() -> None:
    (hit,) = _hits("ACC-008", _role("r", [_SECRETS]))
    assert hit.severity == "low"
    assert _hits("ACC-008", _role("r", [_SECRETS], cluster="prod")) == []


@pytest.mark.parametrize("name", ["system:controller:x", "gce:podsecuritypolicy:x", "eks:x"])
def test_bindings_of_the_platform_are_spared(name: str) -> None:
    assert _hits("ACC-008", _role("r", [_SECRETS]), _binding("r", name)) == []


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("system:controller:x", {"kind": "User", "name": "system:kube-x"}),
        ("system:x", {"kind": "ServiceAccount", "name": "x", "namespace": "kube-system"}),
        ("system:openshift:x", {"kind": "ServiceAccount", "name": "x", "namespace": "openshift-x"}),
        ("gce:podsecuritypolicy:x", {"kind": "Group", "name": "system:nodes"}),
        ("gce:beta:kubelet-certificate-bootstrap", {"kind": "User", "name": "kubelet"}),
        ("eks:node-manager", {"kind": "User", "name": "eks:node-manager"}),
        ("system:basic-user", {"kind": "Group", "name": "system:authenticated"}),
    ],
)
def test_who_only_bears_a_name_of_the_platform_is_told(name: str, subject: dict[str, str]) -> None:
    """Whoever may write bindings may choose their names."""

    def outside(*subjects: dict[str, str]) -> list[str]:
        binding = _binding("r", name, subjects=subjects)
        found = grants(Cluster([_role("r", [_SECRETS]), binding])).binding(binding)
        assert of_platform(found) is not bool(outsiders(found))
        return [one.name for one in outsiders(found)]

    assert outside(subject) == []
    assert outside(subject, _JO) == ["jo"]
    everybody = {"kind": "Group", "name": "system:serviceaccounts"}
    assert outside(everybody) == ["system:serviceaccounts"]


def test_masters_and_nobody_gain_nothing() -> None:
    masters = {"kind": "Group", "name": "system:masters"}
    assert _hits("ACC-008", _role("r", [_SECRETS]), _binding("r", subjects=[masters])) == []
    assert _hits("ACC-008", _role("r", [_SECRETS]), _binding("r", subjects=[])) == []
    assert (
        len(_hits("ACC-008", _role("r", [_SECRETS]), _binding("r", subjects=[masters, _JO]))) == 1
    )


def test_default_roles_are_silent_unless_somebody_widened_them() -> None:
    assert _hits("ACC-008", _role("edit", [_SECRETS]), _binding("edit")) == []
    assert len(_hits("ACC-008", _role("view", [_SECRETS]), _binding("view"))) == 1
    escalate = {"verbs": ["escalate"], "apiGroups": [_GROUP], "resources": ["clusterroles"]}
    assert len(_hits("ACC-012", _role("edit", [escalate]), _binding("edit"))) == 1


def test_a_role_binding_gives_nothing_outside_of_namespaces() -> None:
    proxy = {"verbs": ["get"], "apiGroups": [""], "resources": ["nodes/proxy"]}
    role = _role("r", [proxy])
    assert _hits("ACC-015", role, _binding("r", namespace="shop")) == []
    assert len(_hits("ACC-015", role, _binding("r"))) == 1


def test_unknown_roles_are_unassessed() -> None:
    refused = {f"ClusterRole.{_GROUP}": "forbidden"}
    (hit,) = _hits("ACC-008", _binding("r"), unlisted=refused)
    assert hit.unassessed
    (hit,) = _hits("ACC-008", _role("r", [{"verbs": "get"}]), _binding("r"))
    assert hit.unassessed
    (hit,) = _hits("ACC-008", _role("r", {}))
    assert hit.unassessed


def test_every_right_can_be_held_by_the_star_and_by_no_empty_rule() -> None:
    star = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    for check in POWERS:
        assert len(_hits(check, _role("r", [star]), _binding("r"))) == 1
        assert _hits(check, _role("r", [{}]), _binding("r")) == []


_TOKEN = {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}


@pytest.mark.parametrize(
    ("pod", "account", "path"),
    [
        ({}, None, ("spec", "automountServiceAccountToken")),
        ({}, True, ("spec", "automountServiceAccountToken")),
        ({}, False, None),
        ({"automountServiceAccountToken": False}, True, None),
        (
            {"automountServiceAccountToken": True},
            False,
            ("spec", "automountServiceAccountToken"),
        ),
        (
            {"automountServiceAccountToken": False, "volumes": [{}, {"name": "t", **_TOKEN}]},
            False,
            ("spec", "volumes", 1),
        ),
    ],
)
def test_where_a_token_comes_from(
    pod: dict[str, Any], account: bool | None, path: tuple[str | int, ...] | None
) -> None:
    raw = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}}
    world = [resource_of({**raw, "spec": {"containers": [], **pod}}, Nowhere())]
    if account is not None:
        own = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "automountServiceAccountToken": account,
        }
        metadata = {"name": "default", "namespace": "shop"}
        world.append(resource_of({**own, "metadata": metadata}, Nowhere()))
    cluster = Cluster(world)
    assert mounted(next(cluster.workloads()), cluster) == path


def _impersonate(resource: str, name: str) -> Resource:
    rule = {"verbs": ["impersonate"], "apiGroups": [""], "resources": [resource]}
    return _role(name, [rule])


_OPS = {"kind": "Group", "name": "system:serviceaccounts:shop"}
_API = {"kind": "ServiceAccount", "name": "api", "namespace": "shop"}


@pytest.mark.parametrize(
    ("groups_of", "users_of", "hits"),
    [
        (_JO, _JO, 1),
        (_JO, {"kind": "User", "name": "kim"}, 0),
        (_API, _OPS, 1),
        (_OPS, _API, 1),
        (_OPS, {**_API, "namespace": "ops"}, 0),
        (_JO, {"kind": "Group", "name": "system:authenticated"}, 1),
        ({"kind": "Group", "name": "system:masters"}, _JO, 0),
    ],
)
def test_groups_count_where_the_same_one_may_be_a_user_too(
    groups_of: Any, users_of: Any, hits: int
) -> None:
    world = (
        _impersonate("groups", "g"),
        _impersonate("users", "u"),
        _binding("g", "g", [groups_of]),
        _binding("u", "u", [users_of]),
    )
    found = [hit for hit in _hits("ACC-013", *world) if hit.resource.ref.name == "g"]
    assert len(found) == hits


def test_what_is_needed_beside_a_right_is_unassessed_where_bindings_were_refused() -> None:
    refused = {f"RoleBinding.{_GROUP}": "forbidden"}
    world = (_impersonate("groups", "g"), _binding("g"))
    (hit,) = _hits("ACC-013", *world, unlisted=refused)
    assert hit.unassessed
    assert _hits("ACC-013", *world) == []
