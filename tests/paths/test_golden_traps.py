"""The traps in which other tools are caught, each a small world: what leads on, what must not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.support.paths.world import ATTACKER, bound, made, pod, rule, tried, world

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.paths import Options, facts, find
from martello.paths.facts import Facts
from martello.paths.horn import closure
from martello.paths.model import Admission, Inputs, Proposition
from martello.practices.access.defaults import with_defaults

ADMIN: Proposition = ("admin", "")
STRONG: Proposition = ("account", "shop", "strong")
ENFORCE = "pod-security.kubernetes.io/enforce"
PRIVILEGED = {
    "containers": [{"name": "main", "image": "x", "securityContext": {"privileged": True}}]
}


def gains(example: dict[str, Any], inputs: Inputs | None = None) -> set[Proposition]:
    """Everything that the attacker of an example comes to, for certain."""
    cluster, told, footholds = world(example)
    known = facts(cluster, told if inputs is None else inputs)
    return _from(known, footholds)


def _from(known: Facts, footholds: list[Proposition]) -> set[Proposition]:
    program = known.program
    doubts = {n for n, fact in program.facts.items() if not fact.sure}
    holds = closure(program, [program.id(one) for one in footholds], doubts)
    return {program.names[n] for n, true in enumerate(holds) if true}


def cluster(*objects: dict[str, Any], minor: int = 34, **more: Any) -> Cluster:
    """A cluster of objects."""
    made_of = [resource_of(one, Nowhere()) for one in objects]
    return with_defaults(Cluster(made_of, kubernetes=minor, complete=True, **more))


def test_get_of_nodes_proxy_is_code_in_every_pod_of_the_node() -> None:
    found = gains({"wide": ["get nodes/proxy named worker"]})
    assert STRONG in found
    assert ("pods-of", "shop/web") in found
    assert ("pods-of", "shop/far") not in found  # on another node
    assert ("node", "worker") not in found
    for other in ("get nodes/metrics", "get nodes/stats", "get nodes/log"):
        assert STRONG not in gains({"wide": [other]})


def test_get_of_exec_ends_with_the_version_that_asks_for_create() -> None:
    assert STRONG in gains({"grant": ["get pods/exec"], "kubernetes": 34})
    assert STRONG not in gains({"grant": ["get pods/exec"], "kubernetes": 35})


def test_edit_is_every_account_of_the_namespace() -> None:
    own = made("Namespace", "shop"), made("ServiceAccount", "strong", "shop")
    other = made("Namespace", "ops"), made("ServiceAccount", "strong", "ops")
    granted = bound("edit", [], ("user", "joe"), "shop", wide=True)[1:]
    known = facts(cluster(*own, *other, *granted))
    found = _from(known, [("user", "joe")])
    assert {("account", "shop", "strong"), ("account", "shop", "default")} <= found
    assert ("account", "ops", "strong") not in found
    assert ADMIN not in found


def test_view_is_none() -> None:
    own = made("Namespace", "shop"), made("ServiceAccount", "strong", "shop")
    granted = bound("view", [], ("user", "joe"), "shop", wide=True)[1:]
    assert not {
        one
        for one in _from(facts(cluster(*own, *granted)), [("user", "joe")])
        if one[0] in ("account", "accounts", "secret", "node")
    }


def test_constrained_impersonation_is_no_identity() -> None:
    """It gives single verbs, so it leads no further by itself; before 1.35 there is none."""
    rights: list[Any] = [
        {
            "verbs": ["impersonate:serviceaccount"],
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["serviceaccounts"],
        },
        rule("impersonate-on:serviceaccount:get secrets"),
    ]
    assert STRONG not in gains({"grant": rights, "kubernetes": 36})
    name = "constrained-impersonate-account"
    assert name in tried({"grant": rights, "kubernetes": 36})[1]
    assert name not in tried({"grant": rights[:1], "kubernetes": 36})[1]
    assert name not in tried({"grant": rights, "kubernetes": 34})[1]


@pytest.mark.parametrize("signer", ["kubernetes.io/kube-apiserver-client", "kubernetes.io/*"])
def test_a_certificate_request_is_no_way_to_masters(signer: str) -> None:
    csr = "certificatesigningrequests.certificates.k8s.io"
    rights = [f"create {csr}", f"update {csr}/approval"]
    rights.append(f"approve signers.certificates.k8s.io named {signer}")
    found = gains({"wide": rights})
    assert ADMIN not in found
    assert ("group", "system:masters") not in found
    assert {STRONG, ("user", "boss"), ("group", "dev")} <= found


def test_a_kubelet_certificate_has_what_the_pods_of_its_node_have_and_no_more() -> None:
    csr = "certificatesigningrequests.certificates.k8s.io"
    rights = [f"create {csr}", f"update {csr}/approval"]
    rights.append(
        "approve signers.certificates.k8s.io named kubernetes.io/kube-apiserver-client-kubelet"
    )
    found = gains({"wide": rights})
    assert {("kubelet", "worker"), STRONG} <= found
    assert ("secret", "shop", "db") not in found  # no pod refers to it
    assert ("user", "boss") not in found
    assert ADMIN not in found


def test_a_label_of_aggregation_gains_its_author_nothing() -> None:
    """Writing a role needs all of its rules: whoever labels his own gives others what he has."""
    label = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    rights = ["create clusterroles.rbac.authorization.k8s.io"]
    rights.append("patch clusterroles.rbac.authorization.k8s.io")
    found = gains({"wide": rights})
    assert not {one for one in found if one[0] in ("admin", "accounts", "secrets", "node")}
    assert STRONG not in found
    more = made(
        "ClusterRole",
        "extra",
        "",
        "rbac.authorization.k8s.io/v1",
        metadata={"labels": label},
        rules=[rule("get secrets")],
    )
    assert STRONG not in gains({"wide": rights, "objects": [more]})


def test_what_aggregates_into_edit_is_in_edit() -> None:
    label = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    more = made(
        "ClusterRole",
        "extra",
        "",
        "rbac.authorization.k8s.io/v1",
        metadata={"labels": label},
        rules=[
            rule("bind clusterroles.rbac.authorization.k8s.io"),
            rule("create rolebindings.rbac.authorization.k8s.io"),
        ],
    )
    own = made("Namespace", "shop")
    granted = bound("edit", [], ("user", "joe"), "shop", wide=True)[1:]
    assert ("admin", "shop") in _from(facts(cluster(own, more, *granted)), [("user", "joe")])
    assert ("admin", "shop") not in _from(facts(cluster(own, *granted)), [("user", "joe")])


def test_a_bound_name_is_whoever_creates_the_account() -> None:
    ghost: Proposition = ("account", "shop", "ghost")
    assert ghost in gains({"grant": ["create serviceaccounts", "create pods"], "phantom": "ghost"})
    assert ghost in gains(
        {"grant": ["create serviceaccounts", "create serviceaccounts/token"], "phantom": "ghost"}
    )
    assert ghost not in gains({"grant": ["create serviceaccounts"], "phantom": "ghost"})
    assert ghost not in gains({"grant": ["create pods"], "phantom": "ghost"})
    assert ghost in gains(
        {"grant": ["impersonate serviceaccounts named ghost"], "phantom": "ghost"}
    )


def _mounting(audience: str = "", automount: bool | None = False) -> dict[str, Any]:
    token: dict[str, Any] = {"path": "token", **({"audience": audience} if audience else {})}
    spec: dict[str, Any] = {
        "containers": [
            {"name": "main", "image": "x", "volumeMounts": [{"name": "t", "mountPath": "/t"}]}
        ],
        "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": token}]}}],
    }
    return {**spec, "automountServiceAccountToken": automount}


def test_a_projected_token_counts_though_nothing_is_automounted() -> None:
    assert ATTACKER in gains({"pod": _mounting()})
    assert ATTACKER not in gains({"pod": _mounting("vault")})
    bare = {"containers": [{"name": "main", "image": "x"}], "automountServiceAccountToken": False}
    assert ATTACKER not in gains({"pod": bare})
    switched = {**bare, "automountServiceAccountToken": True}
    off = made("ServiceAccount", "attacker", "shop", automountServiceAccountToken=False)
    assert ATTACKER in gains({"pod": switched, "objects": [off]})  # the pod's switch wins


def test_a_user_namespace_keeps_root_in_the_pod() -> None:
    assert ("node", "worker") in gains({"pod": PRIVILEGED})
    assert ("node", "worker") not in gains({"pod": {**PRIVILEGED, "hostUsers": False}})
    assert ("node", "worker") in gains(
        {"pod": {**PRIVILEGED, "hostUsers": False}, "kubernetes": 28}
    )


def test_an_exempt_namespace_takes_what_its_label_forbids() -> None:
    example = {"grant": ["create pods"], "labels": {ENFORCE: "restricted"}}
    assert ("node", "worker") not in gains(example)
    inputs = Inputs(security=lambda space, level: Admission(True) if space == "shop" else None)
    assert ("node", "worker") in gains(example, inputs)


def test_a_policy_refuses_and_whoever_may_remove_it_is_let_in() -> None:
    denied = Inputs(
        policies=lambda space, level, how: Admission(False) if level == "privileged" else None
    )
    assert ("node", "worker") not in gains({"grant": ["create pods"]}, denied)
    remover = "delete validatingadmissionpolicies.admissionregistration.k8s.io"
    both = {"grant": ["create pods"], "wide": [remover]}
    assert ("node", "worker") in gains(both, denied)


def test_a_webhook_that_may_refuse_dashes_the_step() -> None:
    hook = {
        "name": "h",
        "rules": [
            {
                "operations": ["CREATE"],
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["pods"],
            }
        ],
    }
    kind = "ValidatingWebhookConfiguration"
    refusing = made(kind, "guard", "", "admissionregistration.k8s.io/v1", webhooks=[hook])
    example = {"grant": ["create pods"]}
    assert ("node", "worker") in gains(example)
    assert ("node", "worker") not in gains({**example, "objects": [refusing]})
    known = facts(world({**example, "objects": [refusing]})[0])
    (path,) = [one.path for one in find(known, footholds=[ATTACKER], goals=[("node", "worker")])]
    assert not path.sure
    assert path.because == ("webhook guard may refuse it",)


def test_a_group_is_impersonated_beside_a_user_only() -> None:
    group: Proposition = ("group", "dev")
    assert group not in gains({"wide": ["impersonate groups"]})
    assert ADMIN not in gains({"wide": ["impersonate groups"]})
    assert group in gains(
        {"wide": ["impersonate groups named dev", "impersonate users named boss"]}
    )
    assert ADMIN in gains({"wide": ["impersonate groups", "impersonate users"]})
    assert ADMIN in gains(
        {"wide": ["impersonate groups"], "grant": ["impersonate serviceaccounts"]}
    )
    assert ADMIN not in gains({"grant": ["impersonate groups", "impersonate users"]})


def test_two_people_do_not_make_one_request() -> None:
    """One may impersonate users, another groups: neither becomes anybody in a group."""
    one = bound("one", [rule("impersonate users named nobody")], ("user", "joe"))
    two = bound("two", [rule("impersonate groups")], ("user", "kim"))
    known = facts(cluster(made("Namespace", "shop"), *one, *two))
    assert ADMIN not in _from(known, [("user", "joe"), ("user", "kim")])


def test_escalate_by_name_fills_that_role_only() -> None:
    roles = "roles.rbac.authorization.k8s.io"
    mine = f"escalate {roles} named given-grant", f"update {roles} named given-grant"
    assert ("admin", "shop") in gains({"grant": list(mine)})
    other = f"escalate {roles} named other", f"update {roles} named given-grant"
    assert ("admin", "shop") not in gains({"grant": list(other)})
    assert ("admin", "shop") not in gains({"grant": [f"escalate {roles}"]})
    theirs = f"escalate {roles} named dev", f"update {roles} named dev"
    assert ("admin", "shop") not in gains({"grant": list(theirs)})  # he is not bound to it
    assert ADMIN not in gains({"grant": list(mine)})


def test_a_role_of_a_namespace_binds_in_it_only() -> None:
    rights = ["create rolebindings.rbac.authorization.k8s.io"]
    rights.append("bind clusterroles.rbac.authorization.k8s.io")
    found = gains({"grant": rights})
    assert ("admin", "shop") in found
    assert ("admin", "kube-system") not in found
    assert ADMIN not in found


def test_node_restriction_keeps_a_node_to_itself() -> None:
    example = {"node": "worker", "grant": ["get configmaps"]}
    cluster, inputs, footholds = world(example)
    extra = [
        resource_of(one, Nowhere())
        for one in (
            made("ServiceAccount", "else", "shop"),
            pod("elsewhere", {"serviceAccountName": "else", "nodeName": "second"}),
        )
    ]
    known = facts(cluster.apply(extra, []), inputs)
    found = _from(known, [("kubelet", "worker")])
    assert STRONG in found
    assert ("account", "shop", "else") not in found
    assert ("kubelet", "second") not in found
    assert footholds[-1] == ("node", "worker")


def test_what_could_not_be_read_is_a_doubt() -> None:
    """A namespace whose accounts nobody could list has no phantoms: what is bound may be there."""
    objects = [
        made("Namespace", "shop"),
        *bound("ghost", [rule("get secrets")], ("account", "shop", "ghost"), "shop"),
    ]
    seen = facts(cluster(*objects))
    assert seen.world.phantoms["shop"] == {"ghost"}
    unlisted = facts(cluster(*objects, unlisted={"ServiceAccount": "forbidden"}))
    assert "shop" not in unlisted.world.phantoms
    assert "ghost" in unlisted.world.accounts["shop"]


def test_a_pod_that_its_namespace_would_not_take_any_more_is_left_alone() -> None:
    labels = {ENFORCE: "baseline"}
    example = {"labels": labels, "grant": ["patch pods named start"], "pod": PRIVILEGED}
    cluster, inputs, _ = world(example)
    known = facts(cluster, inputs)
    assert ("pods-of", "shop/start") not in _from(known, [ATTACKER])
    known = facts(world({**example, "labels": {ENFORCE: "privileged"}})[0], inputs)
    assert ("pods-of", "shop/start") in _from(known, [ATTACKER])


def test_the_control_plane_s_own_paths_come_when_asked_for() -> None:
    objects = [
        made("Namespace", "kube-system"),
        made("Node", "worker"),
        pod("kube-proxy-x", PRIVILEGED, "kube-system"),
        pod("log-agent", PRIVILEGED, "kube-system"),
    ]
    known = facts(cluster(*objects))
    begun = {one for found in find(known) for one in found.footholds}
    assert ("pods-of", "kube-system/log-agent") in begun
    assert ("pods-of", "kube-system/kube-proxy-x") not in begun
    options = msgspec.structs.replace(Options(), system=True)
    begun = {one for found in find(known, options=options) for one in found.footholds}
    assert ("pods-of", "kube-system/kube-proxy-x") in begun


def test_all_rights_of_a_namespace_serve_beside_rights_elsewhere() -> None:
    """One identity impersonates a group everywhere, and comes to all rights of a namespace: it
    impersonates an account of it in the group.
    """
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    assert ADMIN in gains({"grant": [everything], "wide": ["impersonate groups"]})
    assert ADMIN not in gains({"grant": [everything], "wide": ["get groups"]})
    assert ADMIN not in gains({"wide": ["impersonate groups"]})


def test_a_name_that_nobody_has_is_in_the_groups_of_its_namespace() -> None:
    own = made("Namespace", "shop"), made("Namespace", "ops")
    group: Proposition = ("group", "system:serviceaccounts:ops")
    grants = (
        *bound("masked", [rule("impersonate serviceaccounts named nobody")], ("user", "joe")),
        *bound("readers", [rule("get secrets")], group, "ops"),
    )
    found = _from(facts(cluster(*own, *grants)), [("user", "joe")])
    assert group in found
    assert not any(one[0] == "account" for one in found)
    assert ("secret", "ops", "db") not in found
