"""Random namespaces as people have them: workloads with amounts and without, what scales them."""

from __future__ import annotations

import random
from typing import Any

from martello.practices.resources.blast.model import Rights
from martello.practices.resources.node.model import Pod

Raw = dict[str, Any]
_CPU = ("50m", "100m", "250m", "0.5", "1")
_MEMORY = ("32Mi", "64Mi", "200M", "256Mi", "700Mi", "1Gi")
_DISK = ("100Mi", "1Gi", "3Gi")


def thing(kind: str, name: str, space: str, spec: Raw | None = None, **more: Any) -> Raw:
    """An object."""
    versions = {"HorizontalPodAutoscaler": "autoscaling/v1", "CronJob": "batch/v1beta1"}
    apps = ("Deployment", "StatefulSet")
    version = versions.get(kind, "apps/v1" if kind in apps else "v1")
    raw: Raw = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": space}}
    if spec is not None:
        raw["spec"] = spec
    return {**raw, **more}


def _resources(choice: random.Random) -> Raw:
    found: Raw = {}
    for name, values in (("cpu", _CPU), ("memory", _MEMORY), ("ephemeral-storage", _DISK)):
        low, high = sorted(choice.sample(range(len(values)), 2))
        odds = 0.2 if name == "ephemeral-storage" else 0.5
        if choice.random() < odds:
            found.setdefault("requests", {})[name] = values[low]
        if choice.random() < odds / 2:
            found.setdefault("limits", {})[name] = values[high]
    if choice.random() < 0.1:
        found.setdefault("requests", {})["cpu"] = "0"
    return found


def _pod(choice: random.Random) -> Raw:
    names = ("app", "side", "third")[: choice.choice((1, 1, 1, 2, 3))]
    spec: Raw = {
        "containers": [{"name": n, "image": "x:1", "resources": _resources(choice)} for n in names]
    }
    if choice.random() < 0.25:
        one = {"name": "init", "image": "x:1", "resources": _resources(choice)}
        spec["initContainers"] = [one]
    if choice.random() < 0.3:
        volume: Raw = {} if choice.random() < 0.5 else {"sizeLimit": choice.choice(_DISK)}
        spec["volumes"] = [{"name": "scratch", "emptyDir": volume}]
    if choice.random() < 0.15:
        spec["priorityClassName"] = choice.choice(("system-cluster-critical", "high"))
    return spec


def world(seed: int, space: str) -> list[Raw]:
    """The objects of a namespace."""
    choice = random.Random(seed)
    found: list[Raw] = []
    for number in range(choice.randint(1, 5)):
        name = f"w{number}"
        labels = {"app": name}
        spec: Raw = {
            "replicas": choice.choice((1, 1, 2, 3)),
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _pod(choice)},
        }
        kind = choice.choice(("Deployment", "Deployment", "StatefulSet"))
        if kind == "Deployment" and choice.random() < 0.5:
            surge = choice.choice(("50%", 1, 2))
            spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge}}
        if kind == "StatefulSet":
            spec["serviceName"] = name
        found.append(thing(kind, name, space, spec))
        if choice.random() < 0.4:
            target = {"apiVersion": "apps/v1", "kind": kind, "name": name}
            bounds = {"minReplicas": 1, "maxReplicas": choice.randint(2, 8)}
            scaler = {"scaleTargetRef": target, **bounds}
            found.append(thing("HorizontalPodAutoscaler", name, space, scaler))
    for number in range(choice.randint(0, 4)):
        found.append(thing("ConfigMap", f"c{number}", space, data={"a": "b"}))
        found.append(thing("Secret", f"s{number}", space))
    for number in range(choice.randint(0, 3)):
        kind = choice.choice(("ClusterIP", "NodePort", "LoadBalancer"))
        ports = [{"port": 80 + i, "name": f"p{i}"} for i in range(choice.randint(1, 2))]
        found.append(thing("Service", f"v{number}", space, {"type": kind, "ports": ports}))
    for number in range(choice.randint(0, 2)):
        asked = {"requests": {"storage": choice.choice(("1Gi", "20Gi"))}}
        claim = {"accessModes": ["ReadWriteOnce"], "resources": asked}
        found.append(thing("PersistentVolumeClaim", f"d{number}", space, claim))
    if choice.random() < 0.3:
        item: Raw = {"type": "Container", "default": {"memory": "1Gi"}}
        if choice.random() < 0.5:
            item["maxLimitRequestRatio"] = {"memory": "4"}
        found.append(thing("LimitRange", "old", space, {"limits": [item]}))
    if choice.random() < 0.3:
        found.append(thing("ResourceQuota", "old", space, {"hard": {"count/secrets": "30"}}))
    return found


def priority_class(name: str, value: int, **more: Any) -> Raw:
    """A PriorityClass."""
    head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    return {**head, "metadata": {"name": name}, "value": value, **more}


def deployment(name: str, space: str, replicas: int = 2, **spec: Any) -> Raw:
    """A Deployment of one container; `spec` is of its pods."""
    labels = {"app": name}
    container = {"name": "app", "image": "x:1", "resources": {"requests": {"memory": "64Mi"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}
    body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return thing("Deployment", name, space, body)


def hook(policy: str | None = None, rules: bool = True) -> list[Raw]:
    """A webhook that a workload `policy` of the namespace gate answers."""
    service = {"namespace": "gate", "name": "policy"}
    one: Raw = {"name": "policy.example.com", "clientConfig": {"service": service}}
    if policy:
        one["failurePolicy"] = policy
    if rules:
        every = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
        one["rules"] = [{**every, "operations": ["*"]}]
    head = {"apiVersion": "admissionregistration.k8s.io/v1"}
    found = {**head, "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "policy"}}
    called = thing("Service", "policy", "gate", {"selector": {"app": "policy"}})
    return [{**found, "webhooks": [one]}, called]


def may(_: Pod) -> Rights:
    """Nobody's token may anything."""
    return Rights()
