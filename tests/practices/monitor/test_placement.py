"""Where the pods of a DaemonSet run, by tables."""

from __future__ import annotations

from typing import Any

import pytest

from martello.core.resource import Nowhere, resource_of
from martello.core.workload import workload_of
from martello.practices.monitor.placement import Malformed, runs_on

_TAINT = {"key": "gpu", "value": "a", "effect": "NoSchedule"}


def _runs(pod: dict[str, Any], **node: Any) -> bool:
    labels = {"arch": "x", "cores": "8"}
    metadata = {"name": "one", "labels": labels}
    made = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": node}
    template = {"spec": {"containers": [], **pod}}
    daemon = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"}}
    workload = workload_of(resource_of({**daemon, "spec": {"template": template}}, Nowhere()))
    assert workload is not None
    return runs_on(workload, resource_of(made, Nowhere()))


@pytest.mark.parametrize(
    ("selector", "runs"), [({}, True), ({"arch": "x"}, True), ({"arch": "y"}, False)]
)
def test_selectors(selector: dict[str, str], runs: bool) -> None:
    assert _runs({"nodeSelector": selector}) is runs


@pytest.mark.parametrize(
    ("toleration", "runs"),
    [
        ({}, False),
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "gpu"}, False),
        ({"key": "gpu", "value": "a"}, True),
        ({"key": "gpu", "value": "b"}, False),
        ({"key": "gpu", "operator": "Equal", "value": "a", "effect": "NoSchedule"}, True),
        ({"key": "cpu", "operator": "Exists"}, False),
    ],
)
def test_tolerations(toleration: dict[str, str], runs: bool) -> None:
    assert _runs({"tolerations": [toleration]}, taints=[_TAINT]) is runs


def test_taints_that_keep_no_daemon_away() -> None:
    assert _runs({}, taints=[{**_TAINT, "effect": "PreferNoSchedule"}])
    assert _runs({}, taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}])
    network = [{"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}]
    assert _runs({"hostNetwork": True}, taints=network)
    assert not _runs({}, taints=network)


def _affinity(*terms: Any) -> dict[str, Any]:
    required = {"nodeSelectorTerms": list(terms)}
    return {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    }


def _expression(operator: str, key: str = "arch", *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("terms", "runs"),
    [
        ([_expression("In", "arch", "x", "y")], True),
        ([_expression("In", "arch", "y")], False),
        ([_expression("NotIn", "arch", "y")], True),
        ([_expression("NotIn", "none", "y")], True),
        ([_expression("NotIn", "arch", "x")], False),
        ([_expression("Exists")], True),
        ([_expression("Exists", "none")], False),
        ([_expression("DoesNotExist", "none")], True),
        ([_expression("Gt", "cores", "7")], True),
        ([_expression("Gt", "cores", "8")], False),
        ([_expression("Lt", "cores", "9")], True),
        ([_expression("Lt", "arch", "9")], False),
        ([_expression("Exists", "none"), _expression("Exists")], True),
        ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["one"]}]}], True),
        ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["two"]}]}], False),
        ([{}], False),
        ([], False),
    ],
)
def test_required_affinity(terms: list[Any], runs: bool) -> None:
    assert _runs(_affinity(*terms)) is runs


@pytest.mark.parametrize(
    "pod",
    [_affinity(_expression("Near")), _affinity(3), {"tolerations": ["all"]}],
)
def test_malformed_rules_are_refused(pod: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        _runs(pod, taints=[_TAINT])
