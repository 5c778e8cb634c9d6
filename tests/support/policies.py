"""Short ways to write policies, bindings, requests and worlds in tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from martello.catalogue.policy.admitted import request_for
from martello.catalogue.policy.model import Request, Ruling, User
from martello.catalogue.policy.policies import Answer, answer
from martello.catalogue.policy.read import policies_from
from martello.catalogue.policy.world import World
from martello.core.cluster import Cluster
from martello.core.resource import Nowhere, Resource, resource_of

RULE: dict[str, Any] = {
    "operations": ["*"],
    "apiGroups": ["*"],
    "apiVersions": ["*"],
    "resources": ["*"],
}


def resource(raw: dict[str, Any]) -> Resource:
    """A resource made in memory."""
    return resource_of(raw, Nowhere())


def vap(name: str = "p", **spec: Any) -> dict[str, Any]:
    """A ValidatingAdmissionPolicy that matches everything unless the spec says otherwise."""
    spec.setdefault("matchConstraints", {"resourceRules": [RULE]})
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


def binding(policy: str = "p", name: str = "b", **spec: Any) -> dict[str, Any]:
    """A binding that denies unless the spec says otherwise."""
    spec.setdefault("validationActions", ["Deny"])
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": policy, **spec},
    }


def pod(name: str = "web", namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    """A Pod with one container."""
    spec.setdefault("containers", [{"name": "c", "image": "x"}])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": spec,
    }


def namespace(name: str, **labels: str) -> dict[str, Any]:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def config_map(name: str, space: str = "shop", **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    metadata = {"name": name, "namespace": space, "labels": {"kind": "params"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def world_of(*objects: dict[str, Any], **options: Any) -> World:
    """A world that holds these objects."""
    return World(Cluster([resource(o) for o in objects]), **options)


def asked(
    policies: Iterable[dict[str, Any]],
    raw: dict[str, Any] | None = None,
    world: World | None = None,
    *,
    operation: str = "CREATE",
    old: dict[str, Any] | None = None,
    user: User | None = None,
) -> Answer:
    """What some policies say about an object (by default a Pod), as it is written."""
    world = world if world is not None else world_of()
    request = request_for(
        resource(raw or pod()), world, operation=operation, old=old, user=user, as_written=True
    )
    return said(policies, request, world)


def said(policies: Iterable[dict[str, Any]], request: Request, world: World) -> Answer:
    """What some policies say about a request."""
    return answer(policies_from([resource(p) for p in policies]), request, world)


def actions(rulings: Sequence[Ruling]) -> list[str]:
    """The actions of rulings, in order."""
    return [r.action for r in rulings]
