"""Kinds that are not built in: what is known of them, and what is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from martello.core.custom import unreadable
from martello.core.path import Path, show
from martello.core.resource import Nowhere, resource_of


def told(raw: dict[str, Any], template: Path | None = None) -> list[str]:
    return [show(v.path) for v in unreadable(resource_of(raw, Nowhere()), template)]


def custom(kind: str, **more: Any) -> dict[str, Any]:
    group, _, name = kind.rpartition("/")
    return {"apiVersion": f"{group}/v1", "kind": name, "metadata": {"name": "x"}, **more}


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        (custom("example.com/Thing", spec=3, status={"a": []}), []),
        (custom("example.com/Thing", metadata={"labels": {"a": 1}}), ["metadata.labels.a"]),
        (custom("gateway.networking.k8s.io/HTTPRoute", spec={"rules": {}}), ["spec.rules"]),
        (
            custom(
                "gateway.networking.k8s.io/HTTPRoute", spec={"rules": [3, {"backendRefs": [4]}]}
            ),
            ["spec.rules[0]", "spec.rules[1].backendRefs[0]"],
        ),
        (
            custom(
                "gateway.networking.k8s.io/HTTPRoute",
                spec={"rules": [{"backendRefs": [{"name": "a", "port": "80", "weight": "x"}]}]},
            ),
            ["spec.rules[0].backendRefs[0].port"],
        ),
        (custom("keda.sh/ScaledObject", spec={"minReplicaCount": None}), []),
        (custom("audit.k8s.io/Policy", rules=[{"verbs": [1]}]), ["rules[0].verbs[0]"]),
        ({**custom("apps/Deployment", spec=3)}, []),
    ],
)
def test_wrong_types(raw: dict[str, Any], places: list[str]) -> None:
    assert told(raw) == places


def test_a_pod_template_is_judged_wherever_it_lies() -> None:
    pod = {"containers": [{"name": "c", "securityContext": {"privileged": "no"}, "extra": 1}]}
    raw = custom("argoproj.io/Rollout", spec={"template": {"spec": pod}})
    place = "spec.template.spec.containers[0].securityContext.privileged"
    assert told(raw, ("spec", "template")) == [place]
    assert told(raw) == []
