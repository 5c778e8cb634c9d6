"""What the API server fills into an object of a built-in kind before admission plugins see it.

Source: the defaulting functions of Kubernetes' API groups. Only what is missing is filled; the
input is never changed.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from martello.catalogue.policy.defaulted_pods import pod_spec, quality, template_spec
from martello.core.path import look_up

Raw = dict[str, Any]
_ROLLING: Final = {"maxUnavailable": "25%", "maxSurge": "25%"}
_RBAC: Final = "rbac.authorization.k8s.io"
# Values below `spec` that are the same for every object of the kind.
_SPEC: Final[dict[str, Raw]] = {
    "Deployment.apps": {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
    "StatefulSet.apps": {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "podManagementPolicy": "OrderedReady",
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    },
    "DaemonSet.apps": {"revisionHistoryLimit": 10},
    "ReplicaSet.apps": {"replicas": 1},
    "ReplicationController": {"replicas": 1},
    "Job.batch": {
        "parallelism": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
    },
    "CronJob.batch": {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    },
    "PersistentVolumeClaim": {"volumeMode": "Filesystem"},
    "PersistentVolume": {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"},
    "HorizontalPodAutoscaler.autoscaling": {"minReplicas": 1},
}
_TOP: Final[dict[str, Raw]] = {
    "Secret": {"type": "Opaque"},
    "StorageClass.storage.k8s.io": {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
    "PriorityClass.scheduling.k8s.io": {"preemptionPolicy": "PreemptLowerPriority"},
}
_PHASES: Final = {
    "Namespace": "Active",
    "PersistentVolume": "Pending",
    "PersistentVolumeClaim": "Pending",
}
_TEMPLATES: Final[dict[str, tuple[str, ...]]] = {
    "Deployment.apps": ("spec", "template"),
    "StatefulSet.apps": ("spec", "template"),
    "DaemonSet.apps": ("spec", "template"),
    "ReplicaSet.apps": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job.batch": ("spec", "template"),
    "CronJob.batch": ("spec", "jobTemplate", "spec", "template"),
    "PodTemplate": ("template",),
}


def defaulted(raw: Raw, kind: str) -> Raw:
    """The object with its defaults; `kind` as `Kind.group`. Parts of the wrong type stay."""
    raw = _filled(raw, _TOP.get(kind, {}))
    if kind in _SPEC and isinstance(raw.get("spec"), dict):
        raw = {**raw, "spec": _filled(raw["spec"], _SPEC[kind])}
    template = _TEMPLATES.get(kind)
    if template is not None:
        raw = _at(raw, (*template, "spec"), template_spec)
    own = _OWN.get(kind)
    if own is not None:
        raw = own(raw)
    if kind in _PHASES:
        raw = {**raw, "status": {"phase": _PHASES[kind]}}
    return raw


def _filled(raw: Raw, defaults: Raw) -> Raw:
    missing = {k: v for k, v in defaults.items() if raw.get(k) is None}
    return {**raw, **missing} if missing else raw


def _at(raw: Raw, path: tuple[str, ...], change: Callable[[Raw], Raw]) -> Raw:
    """A copy in which the mapping at a path is changed; the same where there is none."""
    if not path:
        return change(raw)
    inner = raw.get(path[0])
    return {**raw, path[0]: _at(inner, path[1:], change)} if isinstance(inner, dict) else raw


def _pod(raw: Raw) -> Raw:
    raw = _at(raw, ("spec",), pod_spec)
    spec = raw.get("spec")
    status = {"phase": "Pending"}
    if isinstance(spec, dict):
        status["qosClass"] = quality(spec)
    return {**raw, "status": status}


def _deployment(raw: Raw) -> Raw:
    return _at(raw, ("spec",), lambda spec: _strategy(spec, "strategy", _ROLLING))


def _stateful_set(raw: Raw) -> Raw:
    raw = _at(raw, ("spec",), lambda spec: _strategy(spec, "updateStrategy", {"partition": 0}))
    return _at(raw, ("spec",), lambda spec: _each(spec, "volumeClaimTemplates", _claim))


def _claim(raw: Raw) -> Raw:
    raw = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **raw}
    claim = _at(raw, ("spec",), lambda spec: _filled(spec, _SPEC["PersistentVolumeClaim"]))
    return {**claim, "status": {"phase": "Pending"}}


def _daemon_set(raw: Raw) -> Raw:
    values = {"maxUnavailable": 1, "maxSurge": 0}
    raw = _at(raw, ("spec",), lambda spec: _strategy(spec, "updateStrategy", values))
    generation = {"deprecated.daemonset.template.generation": "1"}
    metadata = look_up(raw, ("metadata",), {})
    annotations = {**(look_up(metadata, ("annotations",)) or {}), **generation}
    return {**raw, "metadata": {**metadata, "annotations": annotations}}


def _strategy(spec: Raw, key: str, values: Raw) -> Raw:
    given = spec.get(key)
    strategy = _filled(given if isinstance(given, dict) else {}, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.get("rollingUpdate")
        strategy["rollingUpdate"] = _filled(rolling if isinstance(rolling, dict) else {}, values)
    return {**spec, key: strategy}


def _job(raw: Raw) -> Raw:
    spec = look_up(raw, ("spec",), {})
    alone = isinstance(spec, dict) and spec.get("completions") is None
    given = look_up(raw, ("spec", "parallelism"))
    if alone and given == 1 and look_up(raw, ("spec", "completionMode")) == "NonIndexed":
        return _at(raw, ("spec",), lambda s: _filled(s, {"completions": 1}))
    return raw


def _service(raw: Raw) -> Raw:
    def spec(given: Raw) -> Raw:
        given = _filled(given, {"type": "ClusterIP", "sessionAffinity": "None"})
        if given["type"] != "ExternalName":
            given = _filled(given, {"internalTrafficPolicy": "Cluster"})
        if given["type"] in ("NodePort", "LoadBalancer"):
            given = _filled(given, {"externalTrafficPolicy": "Cluster"})
        if given["type"] == "LoadBalancer":
            given = _filled(given, {"allocateLoadBalancerNodePorts": True})
        return _each(given, "ports", _service_port)

    return _at(raw, ("spec",), spec)


def _service_port(port: Raw) -> Raw:
    port = _filled(port, {"protocol": "TCP"})
    target = port.get("targetPort")
    return port if target not in (None, 0, "") else {**port, "targetPort": port.get("port")}


def _each(raw: Raw, key: str, change: Callable[[Raw], Raw]) -> Raw:
    elements = raw.get(key)
    if not isinstance(elements, list):
        return raw
    return {**raw, key: [change(e) if isinstance(e, dict) else e for e in elements]}


def _network_policy(raw: Raw) -> Raw:
    def spec(given: Raw) -> Raw:
        types = ["Ingress", "Egress"] if given.get("egress") else ["Ingress"]
        if not given.get("policyTypes"):
            given = {**given, "policyTypes": types}
        for key in ("ingress", "egress"):
            given = _each(given, key, lambda rule: _each(rule, "ports", _tcp))
        return given

    return _at(raw, ("spec",), spec)


def _tcp(port: Raw) -> Raw:
    return _filled(port, {"protocol": "TCP"})


def _webhooks(raw: Raw) -> Raw:
    return _each(raw, "webhooks", _webhook)


def _webhook(raw: Raw) -> Raw:
    defaults: Raw = {
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "timeoutSeconds": 10,
    }
    raw = _each(_filled(raw, defaults), "rules", lambda rule: _filled(rule, {"scope": "*"}))
    return _at(raw, ("clientConfig", "service"), lambda s: _filled(s, {"port": 443}))


def _mutating(raw: Raw) -> Raw:
    return _each(_webhooks(raw), "webhooks", lambda w: _filled(w, {"reinvocationPolicy": "Never"}))


def _secret(raw: Raw) -> Raw:
    """stringData is encoded into data, which it wins over."""
    plain = raw.get("stringData")
    if not isinstance(plain, dict):
        return raw
    encoded = {k: b64encode(str(v).encode()).decode() for k, v in plain.items()}
    rest = {k: v for k, v in raw.items() if k != "stringData"}
    return {**rest, "data": {**(raw.get("data") or {}), **encoded}}


def _role_binding(raw: Raw) -> Raw:
    def role(given: Raw) -> Raw:
        return given if given.get("apiGroup") else {**given, "apiGroup": _RBAC}

    def subject(given: Raw) -> Raw:
        if given.get("apiGroup") or given.get("kind") not in ("User", "Group"):
            return given
        return {**given, "apiGroup": _RBAC}

    return _each(_at(raw, ("roleRef",), role), "subjects", subject)


def _namespace(raw: Raw) -> Raw:
    metadata = raw.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    labels = metadata.get("labels")
    labels = labels if isinstance(labels, dict) else {}
    labels = {**labels, "kubernetes.io/metadata.name": metadata.get("name", "")}
    spec = {"finalizers": ["kubernetes"]}
    return {**raw, "metadata": {**metadata, "labels": labels}, "spec": spec}


_OWN: Final[dict[str, Callable[[Raw], Raw]]] = {
    "Pod": _pod,
    "Secret": _secret,
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": _mutating,
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": _webhooks,
    "Deployment.apps": _deployment,
    "StatefulSet.apps": _stateful_set,
    "DaemonSet.apps": _daemon_set,
    "Job.batch": _job,
    "Service": _service,
    "NetworkPolicy.networking.k8s.io": _network_policy,
    "RoleBinding.rbac.authorization.k8s.io": _role_binding,
    "ClusterRoleBinding.rbac.authorization.k8s.io": _role_binding,
    "Namespace": _namespace,
}
