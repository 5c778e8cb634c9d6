"""Responses are proposals: what they change, what they cannot know, and names that lead nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.sinks import AT, HOSTILE, alert

from martello.core.alert import Evidence
from martello.practices.monitor.alerts.respond import LABEL, Action, proposals, subject

POD = {
    "metadata": {
        "name": "web-7f",
        "namespace": "shop",
        "uid": "u-1",
        "resourceVersion": "42",
        "labels": {"app": "web", "pod-template-hash": "7f"},
    },
    "spec": {"nodeName": "n2"},
}


def _by_name(*found: Action) -> dict[str, Action]:
    return {one.name: one for one in found}


def test_a_pod_that_was_read_is_quarantined_out_of_the_reach_of_other_policies() -> None:
    found = _by_name(*proposals(alert(), pod=POD, policies=[]))
    policy, labels = found["quarantine"].changes
    mark = alert().id[:12]
    assert policy.path == "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"
    assert policy.body["spec"] == {
        "podSelector": {"matchLabels": {LABEL: mark}},
        "policyTypes": ["Ingress", "Egress"],
    }
    assert labels.body == {
        "metadata": {
            "resourceVersion": "42",
            "labels": {"app": None, "pod-template-hash": None, LABEL: mark},
        }
    }
    (cordon,) = found["cordon"].changes
    assert (cordon.path, cordon.body) == ("/api/v1/nodes/n2", {"spec": {"unschedulable": True}})
    (evict,) = found["evict"].changes
    assert evict.path == "/api/v1/namespaces/shop/pods/web-7f/eviction"
    assert evict.body["deleteOptions"] == {"preconditions": {"uid": "u-1"}}


def _policy(name: str, selector: dict[str, Any], **rules: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"podSelector": selector, **rules}}


def test_policies_that_still_allow_something_are_named() -> None:
    policies = [
        _policy("everybody", {}, egress=[{}]),
        _policy("nobody", {}),
        _policy("web", {"matchLabels": {"app": "web"}}, ingress=[{}]),
        _policy("not-web", {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]},
                ingress=[{}]),
        _policy("odd", {"matchExpressions": "x"}, ingress=[{}]),
    ]  # fmt: skip
    (found,) = proposals(alert(), ["quarantine"], pod=POD, policies=policies)
    assert any("still allowed by everybody, not-web, odd" in note for note in found.notes)


def test_a_second_time_the_policy_is_there_already() -> None:
    (first,) = proposals(alert(), ["quarantine"], pod=POD, policies=[])
    made = dict(first.changes[0].body)
    (again,) = proposals(alert(), ["quarantine"], pod=POD, policies=[made])
    assert [change.method for change in again.changes] == ["PATCH"]


def test_what_was_not_read_is_said() -> None:
    found = _by_name(*proposals(alert()))
    assert any("was not read" in note for note in found["quarantine"].notes)
    assert found["quarantine"].changes[1].body == {"metadata": {"labels": {LABEL: alert().id[:12]}}}
    assert any("uid is not known" in note for note in found["evict"].notes)
    assert found["cordon"].changes[0].path == "/api/v1/nodes/n1"


def test_an_alert_of_the_api_names_its_pod_or_its_node() -> None:
    columns = {"k8s_ns": "shop", "k8s_resource": "pods", "k8s_name": "web-7f"}
    api = alert(entity={"actor_user": "alice"}, evidence=(Evidence("e", AT, columns),))
    assert (subject(api).namespace, subject(api).pod, subject(api).node) == ("shop", "web-7f", "")
    columns = {"k8s_resource": "nodes", "k8s_name": "n7"}
    assert subject(alert(entity={}, evidence=(Evidence("e", AT, columns),))).node == "n7"
    columns = {"k8s_resource": "secrets", "k8s_name": "web-7f", "k8s_ns": "shop"}
    secret = alert(entity={}, evidence=(Evidence("e", AT, columns),))
    assert subject(secret).pod == ""
    assert all(one.why for one in proposals(secret))


@pytest.mark.parametrize(
    "name", [HOSTILE, "../../secrets/x", "a/b", "A", "", ".", "x" * 300, "web?x=1", "%2e%2e"]
)
def test_a_name_that_kubernetes_does_not_allow_leads_nowhere(name: str) -> None:
    one = alert(entity={"k8s_ns": name, "pod_name": name, "node": name}, evidence=())
    assert all(found.why and not found.changes for found in proposals(one))
    one = alert(entity={"k8s_ns": "shop", "pod_name": name}, evidence=())
    assert proposals(one, ["evict"])[0].why
