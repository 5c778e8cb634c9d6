"""The pods that policies are tried on: a plain one, and those that differ from it in nothing but
what takes their node.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

Raw = dict[str, Any]
_QUANTITIES: Final = {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "64Mi"}
_PROBE: Final = {"tcpSocket": {"port": 8080}}
_LABELS: Final = {"app": "made", "app.kubernetes.io/name": "made"}
# As good as a pod can be: what is refused of it is refused for other reasons.
_CONTAINER: Final[Raw] = {
    "name": "main",
    "image": f"registry.k8s.io/pause:3.10@sha256:{'0' * 64}",
    "imagePullPolicy": "Always",
    "ports": [{"containerPort": 8080}],
    "resources": {"requests": _QUANTITIES, "limits": _QUANTITIES},
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 10_001,
        "runAsGroup": 10_001,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
PLAIN: Final[Raw] = {
    "serviceAccountName": "default",
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 10_001,
        "fsGroup": 10_001,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "containers": [_CONTAINER],
}
_ROOT: Final = {"runAsNonRoot": False, "runAsUser": 0, "runAsGroup": 0}
_PRIVILEGED: Final = {"privileged": True, "allowPrivilegeEscalation": True}
# The controllers by which pods are made: apiVersion, and where their template lies.
CONTROLLERS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "ReplicationController": ("v1", ("spec", "template")),
    "Deployment": ("apps/v1", ("spec", "template")),
    "DaemonSet": ("apps/v1", ("spec", "template")),
    "StatefulSet": ("apps/v1", ("spec", "template")),
    "ReplicaSet": ("apps/v1", ("spec", "template")),
    "Job": ("batch/v1", ("spec", "template")),
    "CronJob": ("batch/v1", ("spec", "jobTemplate", "spec", "template")),
}


def _with(security: Mapping[str, Any], **spec: Any) -> Raw:
    """The plain pod with another security context of its container, and more in its spec."""
    made = copy.deepcopy(PLAIN)
    made["containers"][0]["securityContext"].update(security)
    made.update(spec)
    return made


def _mounting() -> Raw:
    made = _with(_ROOT, volumes=[{"name": "node", "hostPath": {"path": "/"}}])
    made["containers"][0]["volumeMounts"] = [{"name": "node", "mountPath": "/node"}]
    return made


def _capable(capability: str, **spec: Any) -> Raw:
    return _with({**_ROOT, "capabilities": {"drop": ["ALL"], "add": [capability]}}, **spec)


BASELINE: Final[Raw] = _with({"runAsNonRoot": False, "allowPrivilegeEscalation": True})
# Each takes its node in another way: all of them must be refused to keep it.
TAKING: Final[tuple[Raw, ...]] = (
    _with(_PRIVILEGED),
    _mounting(),
    _capable("SYS_ADMIN", hostPID=True),
    _capable("SYS_MODULE"),
)


def debugged(spec: Raw, *, privileged: bool) -> Raw:
    """A pod's spec with a debug container more."""
    container = {k: v for k, v in _CONTAINER.items() if k in ("image", "imagePullPolicy")}
    security = {**_CONTAINER["securityContext"], **(_PRIVILEGED if privileged else {})}
    debug = {**container, "name": "debug", "securityContext": security}
    return {**spec, "ephemeralContainers": [debug]}


def imaged(spec: Raw) -> Raw:
    """A pod's spec with another image."""
    container = {**spec["containers"][0], "image": f"registry.k8s.io/pause:3.9@sha256:{'1' * 64}"}
    return {**spec, "containers": [container]}


def pod(spec: Raw) -> Raw:
    """A pod of a spec."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(), "spec": spec}


def _metadata() -> Raw:
    return {"name": "made", "namespace": "default", "labels": dict(_LABELS)}


def controlled(spec: Raw) -> Iterator[Raw]:
    """The controllers that would make pods of a spec."""
    for kind, (version, path) in CONTROLLERS.items():
        raw: Raw = {"apiVersion": version, "kind": kind, "metadata": _metadata()}
        at = raw
        for key in path:
            at = at.setdefault(key, {})
        at.update(metadata={"labels": dict(_LABELS)}, spec=spec)
        if kind == "CronJob":
            raw["spec"]["schedule"] = "0 0 * * *"
        elif kind == "ReplicationController":
            raw["spec"]["selector"] = dict(_LABELS)
        elif kind != "Job":
            raw["spec"]["selector"] = {"matchLabels": dict(_LABELS)}
        if kind in ("Job", "CronJob"):
            at["spec"] = {**spec, "restartPolicy": "Never"}
        yield raw
