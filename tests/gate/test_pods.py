"""What a namespace admits: exemptions of Pod Security, and policies tried on made pods."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, resource_of
from martello.gate.made import Tried
from martello.gate.pods import policies, security
from martello.paths.model import Admission

Raw = dict[str, Any]
ENFORCE = "pod-security.kubernetes.io/enforce"
ADMISSION = "admissionregistration.k8s.io/v1"
UNPRIVILEGED = (
    "object.spec.containers.all(c, !has(c.securityContext)"
    " || !has(c.securityContext.privileged) || !c.securityContext.privileged)"
)
BASELINE = (
    UNPRIVILEGED,
    "!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath))",
    "!has(object.spec.hostPID) || !object.spec.hostPID",
    "object.spec.containers.all(c, !has(c.securityContext)"
    " || !has(c.securityContext.capabilities) || !has(c.securityContext.capabilities.add))",
)
UNDEBUGGED = UNPRIVILEGED.replace(
    "object.spec.containers.all",
    "!has(object.spec.ephemeralContainers) || object.spec.ephemeralContainers.all",
)


def policy(
    *expressions: str,
    name: str = "guard",
    actions: tuple[str, ...] = ("Deny",),
    match: Raw | None = None,
    resources: tuple[str, ...] = ("pods",),
    operations: tuple[str, ...] = ("CREATE",),
    group: str = "",
    bound: Raw | None = None,
    **spec: Any,
) -> list[Raw]:
    """A policy and its binding."""
    rule = {
        "operations": list(operations),
        "apiGroups": [group],
        "apiVersions": ["*"],
        "resources": list(resources),
    }
    made = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule], **(match or {})},
            "validations": [{"expression": one} for one in expressions],
            **spec,
        },
    }
    binding: Raw = {"policyName": name, "validationActions": list(actions)}
    if bound is not None:
        binding["matchResources"] = bound
    return [made, {**made, "kind": "ValidatingAdmissionPolicyBinding", "spec": binding}]


def cluster(*objects: Raw, kubernetes: int = 34, spaces: int = 2) -> Cluster:
    """Namespaces `ns-0` (tier 0), `ns-1` (tier 1), and so on, with more objects."""
    every = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": f"ns-{number}", "labels": {"tier": str(number)}},
        }
        for number in range(spaces)
    ]
    found = [resource_of(one, Nowhere()) for one in (*every, *objects)]
    return Cluster(found, kubernetes=kubernetes, complete=True)


def said(
    objects: list[Raw], level: str, how: str = "create", space: str = "ns-0", kubernetes: int = 34
) -> bool | str | None:
    """True, False, or why nobody knows; None where no policy is there."""
    ask = policies(cluster(*objects, kubernetes=kubernetes))
    told = ask(space, level, how) if ask is not None else None
    if told is None:
        return None
    return told.because if told.admits is None else told.admits


DOUBT = "ValidatingAdmissionPolicy 'guard' may refuse it"


def test_a_policy_refuses_what_takes_a_node_and_takes_what_is_plain() -> None:
    assert said(policy(*BASELINE), "privileged") is False
    assert said(policy(*BASELINE), "restricted") is True


def test_one_way_to_the_node_is_enough() -> None:
    assert said(policy(UNPRIVILEGED), "privileged") is True
    for number in (0, 1, 3):  # hostPID without a capability takes no node
        fewer = [one for at, one in enumerate(BASELINE) if at != number]
        assert said(policy(*fewer), "privileged") is True


@pytest.mark.parametrize("actions", [("Warn",), ("Audit",), ("Warn", "Audit")])
def test_a_policy_that_only_warns_is_no_guard(actions: tuple[str, ...]) -> None:
    assert said(policy(*BASELINE, actions=actions), "privileged") is None
    denying = policy(*BASELINE, name="other")
    assert said([*policy("false", actions=actions), *denying], "restricted") is True


def test_a_policy_without_a_binding_is_no_guard() -> None:
    assert said(policy(*BASELINE)[:1], "privileged") is None


def test_policies_of_old_servers_do_not_exist() -> None:
    assert said(policy(*BASELINE), "privileged", kubernetes=25) is None


@pytest.mark.parametrize("where", ["policy", "binding"])
def test_selectors_say_which_namespaces_it_guards(where: str) -> None:
    selector = {"namespaceSelector": {"matchLabels": {"tier": "1"}}}
    made = (
        policy(*BASELINE, match=selector)
        if where == "policy"
        else policy(*BASELINE, bound=selector)
    )
    assert said(made, "privileged", space="ns-0") is True
    assert said(made, "privileged", space="ns-1") is False


def test_names_of_namespaces_in_expressions_count() -> None:
    made = policy(*(f"request.namespace == 'ns-0' || ({one})" for one in BASELINE))
    assert said(made, "privileged", space="ns-0") is True
    assert said(made, "privileged", space="ns-1") is False
    made = policy(*(f"namespaceObject.metadata.labels.tier == '0' || ({o})" for o in BASELINE))
    assert said(made, "privileged", space="ns-0") is True
    assert said(made, "privileged", space="ns-1") is False


def test_what_is_refused_of_every_pod_may_let_another_one_in() -> None:
    assert said(policy("false"), "restricted") == DOUBT
    assert said(policy("object.spec.containers.size() > 1"), "privileged") == DOUBT


@pytest.mark.parametrize(
    "way",
    [
        "has(object.metadata.labels.ok)",
        "object.spec.containers[0].image.startsWith('ops/')",
        "request.userInfo.username == 'root'",
        "object.spec.serviceAccountName == 'agent'",
    ],
)
def test_what_an_attacker_may_choose_leaves_a_doubt(way: str) -> None:
    assert said(policy(*(f"{way} || ({one})" for one in BASELINE)), "privileged") == DOUBT


def test_an_object_selector_is_evaded_by_another_label() -> None:
    chosen = {"objectSelector": {"matchLabels": {"app": "made"}}}
    assert said(policy(*BASELINE, match=chosen), "privileged") == DOUBT


def test_debug_containers_are_another_resource() -> None:
    assert said(policy(*BASELINE), "privileged", "debug-node") is True
    both = policy(
        *BASELINE,
        UNDEBUGGED,
        operations=("CREATE", "UPDATE"),
        resources=("pods", "pods/ephemeralcontainers"),
    )
    assert said(both, "privileged", "debug-node") is False
    assert said(both, "restricted", "debug") is True
    assert said(both, "privileged", "debug") == DOUBT  # the pod may be older


def test_changes_of_pods_that_are_there() -> None:
    made = policy(*BASELINE, operations=("UPDATE",))
    assert said(made, "privileged") is True
    assert said(made, "restricted", "update") is True
    assert said(made, "privileged", "update") == DOUBT


def test_a_policy_for_controllers_is_a_doubt_for_who_may_make_both() -> None:
    made = policy("false", group="apps", resources=("deployments",))
    assert said(made, "restricted") == DOUBT.replace("it", "a Deployment")


def test_what_does_not_compile_or_cannot_be_told_is_a_doubt() -> None:
    assert said(policy("object.spec.foo.bar("), "restricted") == DOUBT
    unknown = policy("authorizer.path('/healthz').check('get').allowed()")
    assert said(unknown, "restricted") == DOUBT
    given = policy(*BASELINE, paramKind={"apiVersion": "example.com/v1", "kind": "Limit"})
    assert said(given, "privileged") in (False, DOUBT)


def test_errors_follow_the_failure_policy() -> None:
    assert said(policy("object.spec.foo == 1", failurePolicy="Fail"), "restricted") == DOUBT
    assert said(policy("object.spec.foo == 1", failurePolicy="Ignore"), "restricted") is True


def test_a_namespace_that_is_not_there_leaves_a_doubt_where_it_is_selected() -> None:
    selector = {"namespaceSelector": {"matchLabels": {"tier": "1"}}}
    assert said(policy(*BASELINE, match=selector), "privileged", space="gone") == DOUBT
    assert said(policy(*BASELINE), "privileged", space="gone") is False


def test_each_policy_is_evaluated_once_where_namespaces_are_alike() -> None:
    known = cluster(*policy(*BASELINE), spaces=500)
    tried = Tried([one for one in known.resources if one.ref.kind != "Namespace"], known)
    for number in range(500):
        assert tried.said(f"ns-{number}", "privileged", "create") == Admission(False)
    assert len(tried._known) == 5  # a plain pod, and four that take their node


def test_nothing_is_imported_where_there_is_no_policy() -> None:
    script = (
        "import sys\n"
        "from martello.core.cluster import Cluster\n"
        "from martello.gate.pods import policies, security\n"
        "assert policies(Cluster(())) is None and security(Cluster(())) == (None, ())\n"
        "print(*(m for m in sys.modules if 'martello.cel' in m or 'catalogue.policy' in m))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


# Pod Security -----------------------------------------------------------------------------------


def configured(wrapped: bool = True, **configuration: Any) -> Raw:
    """The server's configuration of Pod Security."""
    inner = {
        "apiVersion": "pod-security.admission.config.k8s.io/v1",
        "kind": "PodSecurityConfiguration",
        **configuration,
    }
    if not wrapped:
        return inner
    plugins = [{"name": "EventRateLimit"}, {"name": "PodSecurity", "configuration": inner}]
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": plugins,
    }


@pytest.mark.parametrize("wrapped", [True, False])
def test_an_exempt_namespace_takes_everything(wrapped: bool) -> None:
    exempt = configured(wrapped, exemptions={"namespaces": ["ns-0"]})
    told, notes = security(cluster(exempt))
    assert told is not None
    assert told("ns-0", "privileged") == Admission(True, "Pod Security exempts namespace ns-0")
    assert told("ns-1", "privileged") is None
    assert notes == ()


def test_a_default_level_counts_where_there_is_no_label() -> None:
    labelled = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "open", "labels": {ENFORCE: "privileged"}},
    }
    told, _ = security(cluster(configured(defaults={"enforce": "baseline"}), labelled))
    assert told is not None
    assert told("ns-0", "privileged") == Admission(False)
    assert told("ns-0", "baseline") == Admission(True)
    assert told("open", "privileged") is None


def test_exempt_users_are_told_not_followed() -> None:
    exempt = configured(exemptions={"usernames": ["root"], "runtimeClasses": ["kata"]})
    _, notes = security(cluster(exempt))
    assert notes == (
        "Pod Security exempts users root: that is not followed",
        "Pod Security exempts runtime classes kata: that is not followed",
    )


@pytest.mark.parametrize("junk", [None, [], "x", {"exemptions": []}, {"plugins": [3]}])
def test_hostile_configurations_are_none(junk: Any) -> None:
    made = configured(exemptions=junk, defaults=junk)
    told, notes = security(cluster(made))
    assert notes == ()
    assert told is None or told("ns-0", "privileged") is None
    assert security(cluster({**configured(), "plugins": junk})) == (None, ())
