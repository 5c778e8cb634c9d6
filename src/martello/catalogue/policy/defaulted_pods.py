"""What the API server fills into pods and pod templates before admission policies see them.

Source: the defaulting functions of Kubernetes' core/v1, and the admission plugins that are on by
default and change Pods (Priority, DefaultTolerationSeconds, ServiceAccount without its volumes). A
template gets less than a Pod: neither requests from limits nor a service account.
"""

from __future__ import annotations

from typing import Any, Final

from martello.core.defaults import defaulted_pod
from martello.core.path import look_up

Raw = dict[str, Any]
_LISTS: Final = ("containers", "initContainers", "ephemeralContainers")
_POD_ONLY: Final = ("enableServiceLinks", "serviceAccountName", "serviceAccount")
_UNREADY: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def template_spec(spec: Raw) -> Raw:
    """The spec of a pod template."""
    full = _references(defaulted_pod(spec))
    for key in _POD_ONLY:
        if spec.get(key) is None:
            full.pop(key, None)
    twin = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if twin:
        full["serviceAccountName"] = full["serviceAccount"] = twin
    for key in _LISTS:
        given, filled = spec.get(key), full.get(key)
        if isinstance(given, list) and isinstance(filled, list):
            full[key] = [_as_given(g, f) for g, f in zip(given, filled, strict=True)]
    return full


def _as_given(given: Any, filled: Any) -> Any:
    """The container with the requests that were written, not those that limits would give."""
    resources = filled.get("resources") if isinstance(filled, dict) else None
    if not isinstance(resources, dict) or look_up(given, ("resources", "requests")) is not None:
        return filled
    return {**filled, "resources": {k: v for k, v in resources.items() if k != "requests"}}


def pod_spec(spec: Raw) -> Raw:
    """The spec of a Pod."""
    full = _references(defaulted_pod(spec))
    if not full.get("priorityClassName"):
        full.setdefault("priority", 0)
        full.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = full.get("tolerations")
    kept = list(tolerations) if isinstance(tolerations, list) else []
    for key in _UNREADY:
        if not any(_tolerates(t, key) for t in kept):
            kept.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            )
    full["tolerations"] = kept
    return full


def _tolerates(toleration: Any, key: str) -> bool:
    if not isinstance(toleration, dict):
        return False
    return toleration.get("key") in (key, None, "") and toleration.get("effect") in (
        "NoExecute",
        None,
        "",
    )


def _references(pod: Raw) -> Raw:
    """Field references get their apiVersion, host-network ports their host port."""
    host = pod.get("hostNetwork") is True
    for key in _LISTS:
        elements = pod.get(key)
        if isinstance(elements, list):
            pod[key] = [_container(e, host) if isinstance(e, dict) else e for e in elements]
    return pod


def _container(raw: Raw, host: bool) -> Raw:
    env, ports = raw.get("env"), raw.get("ports")
    if isinstance(env, list):
        raw = {**raw, "env": [_env(e) for e in env]}
    if host and isinstance(ports, list):
        raw = {**raw, "ports": [_host_port(p) for p in ports]}
    return raw


def _env(variable: Any) -> Any:
    reference = look_up(variable, ("valueFrom", "fieldRef"))
    if not isinstance(reference, dict) or reference.get("apiVersion"):
        return variable
    source = {**variable["valueFrom"], "fieldRef": {"apiVersion": "v1", **reference}}
    return {**variable, "valueFrom": source}


def _host_port(port: Any) -> Any:
    if not isinstance(port, dict) or port.get("hostPort"):
        return port
    return {**port, "hostPort": port.get("containerPort")}


def quality(spec: Raw) -> str:
    """The quality of service class: Guaranteed, Burstable or BestEffort, of cpu and memory."""
    containers = [c for k in ("containers", "initContainers") for c in spec.get(k) or ()]
    asked = False
    guaranteed = bool(containers)
    for container in containers:
        limits = look_up(container, ("resources", "limits")) or {}
        requests = look_up(container, ("resources", "requests")) or {}
        named = [r for r in ("cpu", "memory") if r in limits or r in requests]
        asked = asked or bool(named)
        guaranteed = guaranteed and all(
            r in limits and requests.get(r) == limits[r] for r in ("cpu", "memory")
        )
    if not asked:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
