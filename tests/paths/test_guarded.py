"""Guards are exact, each by itself: in random small worlds with policies, exemptions and levels
nothing is found that the simulated API server refuses, and nothing is missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from tests.support.paths.exact import Compared
from tests.support.paths.world import ATTACKER, made, world

from martello.gate.pods import policies, security
from martello.paths.edge import Clause, catalogue
from martello.paths.facts import Facts, facts
from martello.paths.horn import closure
from martello.paths.model import Admission, Inputs, Proposition

WORLDS = range(60)
ENFORCE = "pod-security.kubernetes.io/enforce"
NODE: Proposition = ("node", "worker")
SHOWN = (
    *("pod-create-node", "pod-debug-node", "pod-patch", "pod-debug", "namespace-psa"),
    *("admission-policy-off", "guard-off"),
)


@lru_cache(maxsize=len(WORLDS))
def compared(number: int) -> Compared:
    return Compared(f"guarded{number}", guarded=True)


@pytest.mark.parametrize("block", range(6))
def test_nothing_is_false_and_nothing_is_missed(block: int) -> None:
    for number in WORLDS[block::6]:
        assert list(compared(number).differences()) == [], f"world {number}"
        assert [error for error, _ in compared(number).replayed if error] == [], f"world {number}"


def test_the_worlds_show_what_matters() -> None:
    seen: Counter[str] = Counter()
    for number in WORLDS:
        for _, edges in compared(number).replayed:
            seen.update(edges)
    assert [edge for edge in SHOWN if not seen[edge]] == []


def _differences(name: str, **changed: Any) -> Iterator[str]:
    edges = [
        msgspec.structs.replace(edge, **changed) if edge.name == name else edge
        for edge in catalogue()
    ]
    for number in WORLDS:
        yield from compared(number).differences(edges)


@pytest.mark.parametrize("name", ["admission-policy-off", "namespace-psa"])
def test_a_guard_that_nobody_takes_off_is_missed(name: str) -> None:
    assert any(one.startswith("missed") for one in _differences(name, since=1000))


@pytest.mark.parametrize("name", ["admission-policy-off", "namespace-psa"])
def test_a_guard_that_anybody_takes_off_is_found_out(name: str) -> None:
    (edge,) = (one for one in catalogue() if one.name == name)
    (ways,) = edge.ways
    loose = tuple(
        msgspec.structs.replace(one, verbs=("create",), resources=("pods",), name="", scope="=any")
        if isinstance(one, Clause)
        else one
        for one in ways
    )
    assert any(one.startswith("false") for one in _differences(name, ways=(loose,)))


# By hand ----------------------------------------------------------------------------------------

GUARD: dict[str, Any] = {
    "matchConstraints": {
        "resourceRules": [
            {
                "operations": ["CREATE"],
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["pods"],
            }
        ]
    },
    "validations": [
        {"expression": "object.spec.containers.all(c, !c.securityContext.privileged)"},
        {"expression": "!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath))"},
        {
            "expression": "object.spec.containers.all(c, !has(c.securityContext.capabilities)"
            " || !has(c.securityContext.capabilities.add))"
        },
    ],
}
PATCH = "patch namespaces"
DELETE = "delete validatingadmissionpolicies.admissionregistration.k8s.io"
RESTRICTED = {ENFORCE: "restricted"}


def _objects(*actions: str) -> list[dict[str, Any]]:
    api = "admissionregistration.k8s.io/v1"
    bound = {"policyName": "guard", "validationActions": list(actions)}
    kind = "ValidatingAdmissionPolicy"
    return [
        made(kind, "guard", "", api, spec=GUARD),
        made(f"{kind}Binding", "guard", "", api, spec=bound),
    ]


def _known(example: dict[str, Any]) -> Facts:
    cluster, inputs, _ = world(example)
    told = {"security": security(cluster)[0], "policies": policies(cluster)}
    return facts(cluster, msgspec.structs.replace(inputs, **told))


def _takes(example: dict[str, Any]) -> bool:
    known = _known(example)
    doubts = {n for n, fact in known.program.facts.items() if not fact.sure}
    program = known.program
    return bool(closure(program, [program.id(ATTACKER)], doubts)[program.id(NODE)])


@pytest.mark.parametrize(
    ("labels", "actions", "more", "taken"),
    [
        ({}, ("Deny",), {}, False),
        ({}, ("Warn",), {}, True),
        ({}, ("Audit",), {}, True),
        (RESTRICTED, ("Audit",), {}, False),
        (RESTRICTED, ("Deny",), {"grant": [PATCH]}, False),
        (RESTRICTED, ("Deny",), {"wide": [DELETE]}, False),
        (RESTRICTED, ("Deny",), {"grant": [PATCH], "wide": [DELETE]}, True),
        (RESTRICTED, ("Warn",), {"grant": [PATCH]}, True),
        ({}, ("Deny",), {"wide": [DELETE]}, True),
        ({}, ("Deny",), {"grant": [PATCH]}, False),
    ],
)
def test_each_power_takes_its_own_guard_only(
    labels: dict[str, str], actions: tuple[str, ...], more: dict[str, Any], taken: bool
) -> None:
    grant = ["create pods", *more.get("grant", ())]
    example = {**more, "grant": grant, "labels": labels, "objects": _objects(*actions)}
    assert _takes(example) is taken


def test_a_policy_for_new_pods_does_not_see_debug_containers() -> None:
    example = {"grant": ["patch pods/ephemeralcontainers"], "objects": _objects("Deny")}
    assert _takes(example)
    assert not _takes({**example, "grant": ["create pods"]})


def test_an_exemption_takes_the_level_off_and_leaves_the_policy() -> None:
    api = "pod-security.admission.config.k8s.io/v1"
    exempt = made("PodSecurityConfiguration", "", "", api, exemptions={"namespaces": ["shop"]})
    example = {"grant": ["create pods"], "labels": RESTRICTED}
    assert not _takes(example)
    assert _takes({**example, "objects": [exempt]})
    assert not _takes({**example, "objects": [exempt, *_objects("Deny")]})


def _hooked(**more: Any) -> list[dict[str, Any]]:
    rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"]}
    hook = {"name": "h", "rules": [{**rule, "resources": ["pods"]}], **more}
    api = "admissionregistration.k8s.io/v1"
    return [made("ValidatingWebhookConfiguration", "guard", "", api, webhooks=[hook])]


def test_a_webhook_is_a_doubt_where_it_looks_and_until_it_is_off() -> None:
    grant = {"grant": ["create pods"]}
    assert not _takes({**grant, "objects": _hooked()})
    elsewhere = {"matchLabels": {"kubernetes.io/metadata.name": "other"}}
    assert _takes({**grant, "objects": _hooked(namespaceSelector=elsewhere)})
    off = ["delete validatingwebhookconfigurations.admissionregistration.k8s.io"]
    assert _takes({**grant, "wide": off, "objects": _hooked()})
    assert not _takes({**grant, "wide": [DELETE], "objects": _hooked()})
    debug = {"grant": ["patch pods/ephemeralcontainers"], "pod": {}}
    assert _takes({**debug, "objects": _hooked()})  # it sees new pods only


def test_labels_of_pod_security_do_nothing_before_it_was_there() -> None:
    example = {"grant": ["create pods"], "labels": RESTRICTED}
    assert _takes({**example, "kubernetes": 22})
    assert not _takes({**example, "kubernetes": 23})


def test_what_policies_say_is_asked_only_where_it_matters() -> None:
    asked: list[tuple[str, str, str]] = []

    def ask(space: str, level: str, how: str) -> Admission | None:
        asked.append((space, level, how))
        return None

    cluster, _, _ = world({"grant": ["create pods"]})
    facts(cluster, Inputs(policies=ask))
    assert {space for space, _, _ in asked} == {"shop"}
    assert len(asked) == len(set(asked))
